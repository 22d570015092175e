"""Which SavedModels are refused as programs: by operator, wherever it is and however it is hid."""

import re

import pytest
from builders.saved_model import IMAGE, SCORES, message, number, saved_model

from edge.errors import ExportError
from edge.export.read import read_export
from edge.export.saved_model_operators import PURE_OPERATORS
from edge.export.saved_model_safety import unsafe_operators

SIGNATURE = {"serving_default": (IMAGE, SCORES)}
DANGEROUS = """
    ReadFile WriteFile MatchingFiles WholeFileReaderV2 TextLineReaderV2 TFRecordReaderV2 LMDBReader
    FixedLengthRecordReaderV2 TFRecordDataset TextLineDataset SqlDataset SaveDatasetV2 MapDataset
    IteratorV2 PyFunc PyFuncStateless EagerPyFunc GeneratorDataset RemoteCall CollectiveReduceV2
    _Send _Recv _HostRecv RpcCall TPUExecute TPUPartitionedCall XlaLaunch XlaCallModule PrintV2
    DebugIdentityV3 DebugNumericSummaryV2 Copy LoadAndRemapMatrix GenerateVocabRemapping Abort
    ImmutableConst DecodeProtoV2 EncodeProto FileSystemSetConfiguration WriteSummary
    CreateSummaryFileWriter SummaryWriter ConfigureDistributedTPU MyCustomOp QueueDequeueV2
    BigQueryReader GcsConfigureCredentials DecodeVideo
""".split()  # noqa: SIM905
LEGITIMATE = """
    DecodeJpeg DecodePng DecodeImage DecodeBmp DecodeGif DecodeAndCropJpeg ResizeBilinear
    ResizeBicubic CropAndResize NonMaxSuppressionV5 CombinedNonMaxSuppression TopKV2 Conv2D
    DepthwiseConv2dNative FusedBatchNormV3 MatMul BiasAdd Relu6 Sigmoid Softmax MaxPool AvgPool Mean
    Placeholder PlaceholderWithDefault Const Identity NoOp Assert Enter Exit Merge Switch LoopCond
    NextIteration While StatelessWhile If StatelessIf Case PartitionedCall StatefulPartitionedCall
    TensorArrayV3 TensorArrayWriteV3 TensorListStack HashTableV2 LookupTableFindV2 InitializeTableV2
    LookupTableImportV2 VarHandleOp ReadVariableOp AssignVariableOp VariableV2 StridedSlice Where
    GatherV2 DecodeBase64 AsString RandomUniform FakeQuantWithMinMaxVars ParseExampleV2 Einsum
    StringJoin DisableCopyOnRead MutableHashTableV2
""".split()  # noqa: SIM905


def node(name, operator, inputs=(), calls="", calls_listed=""):
    """A `NodeDef`; ``calls`` is a function that an attribute names, or a list in one."""
    out = message(1, name) + message(2, operator)
    out += b"".join(message(3, one) for one in inputs)
    if calls:
        out += attribute("f", message(10, message(1, calls)))
    if calls_listed:
        out += attribute("branches", message(1, message(9, message(1, calls_listed))))
    return out


def attribute(key, value):
    return message(5, message(1, key) + message(2, value))


def function(name, nodes, arguments=(), more=b""):
    signature = message(1, name) + b"".join(message(2, message(1, one)) for one in arguments)
    return message(1, message(1, signature) + b"".join(message(3, one) for one in nodes) + more)


def graph(nodes=(), functions=()):
    """Field 2 of a `MetaGraphDef`."""
    return message(2, b"".join(message(1, one) for one in nodes) + message(2, b"".join(functions)))


def output_of(tensor):
    """A signature whose scores are that tensor."""
    info = message(2, message(1, tensor))
    return message(5, message(1, "s") + message(2, message(2, message(1, "scores") + info)))


def model(*meta_graphs):
    return memoryview(b"".join(message(2, one) for one in meta_graphs))


def found(*meta_graphs):
    return unsafe_operators(model(*meta_graphs))


@pytest.mark.parametrize("operator", DANGEROUS)
def test_an_operator_that_reaches_outside_is_refused_in_the_graph_and_in_functions(operator):
    assert found(graph([node("here", operator)])) == (f"{operator} (node here)",)
    inside = function("hidden", [node("deep", operator)])
    assert found(graph([], [inside])) == (f"{operator} (node deep of function hidden)",)


@pytest.mark.parametrize("operator", LEGITIMATE)
def test_what_image_exports_use_is_taken(operator):
    assert found(graph([node("here", operator)])) == ()


def test_no_operator_of_the_list_has_a_name_that_speaks_of_files_or_others():
    words = "File|Reader|Dataset|Iterator|PyFunc|Remote|Collective|TPU|Xla|Debug|Send|Recv|Save"
    assert [name for name in PURE_OPERATORS if re.search(words, name)] == []
    assert len(PURE_OPERATORS) > 800


def test_a_call_by_the_functions_own_name_is_no_unknown_operator():
    inside = function("mine", [node("x", "Identity")])
    assert found(graph([node("call", "mine")], [inside])) == ()


SAVE = node("save/SaveV2", "SaveV2", ["save/name"])
RESTORE = node("save/RestoreV2", "RestoreV2", ["save/name"])
NAME = node("save/name", "Const")


def test_operators_that_save_and_restore_are_harmless_where_nothing_runs_them():
    assert found(graph([NAME, SAVE, RESTORE]), output_of("x:0")) == ()
    for operator in ("MergeV2Checkpoints", "ShardedFilename", "SaveV2", "RestoreV2", "Save"):
        nodes = [node("a", operator), node("scores", "Softmax")]
        assert found(graph(nodes) + output_of("scores:0")) == ()


def runs(kind, operator):
    """A model that runs the operator in one of the ways that there are."""
    target = node("target", operator)
    call = node("call", "StatefulPartitionedCall", calls="f")
    inside = function("f", [target])
    return {
        "output": graph([target]) + output_of("target:0"),
        "input of an output": graph([target, node("scores", "Softmax", ["target:1"])])
        + output_of("scores:0"),
        "control input": graph([target, node("scores", "Softmax", ["x", "^target"])])
        + output_of("scores:0"),
        "called": graph([call], [inside]) + output_of("call:0"),
        "called by name": graph([node("call", "f")], [inside]) + output_of("call:0"),
        "branch": graph([node("call", "Case", calls_listed="f")], [inside]) + output_of("call"),
        "nested": graph(
            [node("call", "While", calls="g")],
            [function("g", [node("h", "PartitionedCall", calls="f")]), inside],
        )
        + output_of("call:0"),
        "callable": graph([], [inside]) + message(7, message(2, message(1, "f") + message(2, b""))),
        "in place of another": graph(
            [], [function("f", [target], more=attribute("api_implements", message(2, "x")))]
        ),
        "initialiser": graph([target])
        + message(
            4, message(1, "saved_model_main_op") + message(2, message(1, message(1, "target")))
        ),
        "sparse output": graph([target])
        + message(
            5,
            message(1, "s")
            + message(
                2, message(2, message(1, "scores") + message(2, message(4, message(1, "target:0"))))
            ),
        ),
    }[kind]


WAYS = [
    "output", "input of an output", "control input", "called", "called by name", "branch", "nested",
    "callable", "in place of another", "initialiser", "sparse output",
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("operator", ["SaveV2", "RestoreV2", "MergeV2Checkpoints"])
def test_operators_that_save_and_restore_are_refused_where_they_may_run(way, operator):
    assert [words.split()[0] for words in found(runs(way, operator))] == [operator]


def test_the_loaders_own_restore_may_restore_and_not_save():
    saver = message(3, message(3, "restore_all"))
    both = node("restore_all", "NoOp", ["^save/RestoreV2"])
    assert found(graph([NAME, RESTORE, both]) + saver) == ()
    evil = node("restore_all", "NoOp", ["^save/SaveV2"])
    assert found(graph([NAME, SAVE, evil]) + saver) == ("SaveV2 (node save/SaveV2)",)


def test_every_graph_counts_whichever_is_served():
    evil = graph([node("x", "ReadFile")])
    assert found(graph([]), evil) == found(evil, graph([])) == ("ReadFile (node x)",)


def test_what_protobuf_merges_is_merged_here_too():
    """TensorFlow sees all nodes of a graph that stands in the file twice, and last values."""
    evil, harmless = graph([node("x", "ReadFile")]), graph([node("y", "Identity")])
    assert found(evil + harmless) == found(harmless + evil) == ("ReadFile (node x)",)
    twice = message(1, "x") + message(2, "Identity") + message(2, "ReadFile")
    assert found(graph([twice])) == ("ReadFile (node x)",)


def test_a_field_number_that_tensorflow_would_cut_is_refused():
    oversized = b"\x8a\x80\x80\x80\x10"  # field 1 with a bit beyond the 32nd
    hidden = oversized + bytes([1]) + b"x"
    with pytest.raises(ValueError, match="out of range"):
        unsafe_operators(memoryview(message(2, message(2, hidden))))


def asset(name, tensor="path:0"):
    return message(6, message(1, message(1, tensor)) + message(2, name))


TABLE = node("fill", "InitializeTableFromTextFileV2", ["table", "path"])
PATH = node("path", "Const")


def test_a_table_may_be_filled_from_an_asset():
    assert found(graph([PATH, TABLE]) + asset("vocab.txt")) == ()
    passed = node("fill", "InitializeTableFromTextFileV2", ["table", "same"])
    same = node("same", "Identity", ["path:0"])
    assert found(graph([PATH, same, passed]) + asset("vocab.txt")) == ()


@pytest.mark.parametrize(
    "meta_graph",
    [
        graph([PATH, TABLE]),
        graph([PATH, TABLE]) + asset("vocab.txt", "other:0"),
        graph([node("path", "Const"), PATH, TABLE]) + asset("vocab.txt"),
        graph([node("fill", "InitializeTableFromTextFileV2", ["table"])]) + asset("vocab.txt"),
        graph(
            [node("path", "Const"), node("call", "PartitionedCall", ["t", "path"], calls="f")],
            [function("f", [TABLE], ["table", "path"])],
        ),
        graph([], [function("f", [PATH, TABLE], ["table"])]) + asset("vocab.txt"),
    ],
    ids=["constant", "another", "twice", "no input", "argument", "constant in function"],
)
def test_a_table_that_is_filled_from_another_file_is_refused(meta_graph):
    (words,) = found(meta_graph)
    assert words.startswith("InitializeTableFromTextFileV2 (node fill")


def concrete(bound):
    objects = message(1, message(5, number(1, 0))) + message(1, b"")  # an asset, something else
    bound_inputs = message(2, bytes(bound))
    return message(7, objects + message(2, message(1, "f") + message(2, bound_inputs)))


def test_a_function_that_the_loader_gives_an_asset_may_fill_a_table():
    inside = function("f", [TABLE], ["table", "path"])
    assert found(graph([], [inside]) + concrete([1, 0]) + asset("vocab.txt")) == ()
    for bound in ([0, 1], [1], [], [1, 7]):
        assert found(graph([], [inside]) + concrete(bound) + asset("vocab.txt")) != ()


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../b"])
def test_an_asset_outside_of_the_export_is_refused(name):
    assert found(graph([PATH, TABLE]) + asset(name)) == (f"the asset {name}",)


def test_names_are_shown_without_control_characters_and_cut():
    (words,) = found(graph([node("\x1b]52;c;eA==\x07", "R" * 500)]))
    assert words.isprintable()
    assert len(words) < 300


def test_many_are_listed_to_a_limit():
    assert len(found(graph([node(f"n{i}", "ReadFile") for i in range(1000)]))) == 100


def test_a_graph_of_too_many_nodes_is_refused(monkeypatch):
    monkeypatch.setattr("edge.export.saved_model_program.MAX_NODES", 10)
    with pytest.raises(ValueError, match="more than 10 nodes"):
        found(graph([node(f"n{i}", "Identity") for i in range(11)]))
    with pytest.raises(ValueError, match="more than 10 nodes"):
        found(graph([], [function(f"f{i}", [node("x", "Identity")]) for i in range(11)]))


def test_an_export_is_refused_unless_its_owner_allows_it(tmp_path):
    content = saved_model(SIGNATURE, nodes=[("load", "ReadFile", ["x"])])
    (tmp_path / "saved_model.pb").write_bytes(content)
    with pytest.raises(ExportError, match=r"ReadFile \(node load\)") as caught:
        read_export(tmp_path)
    assert "EDGE_ALLOW_UNSAFE_MODELS" in caught.value.remedy
    allowed = read_export(tmp_path, allow_unsafe=True)
    assert any("ReadFile (node load)" in note for note in allowed.contract.notes)
