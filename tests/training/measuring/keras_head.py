"""A Keras head of one Dense layer on features from a file: prints its accuracy in float.

    python keras_head.py FEATURES.npz

The file has ``features`` float32 [pictures, features], ``labels`` int [pictures], and ``splits``
int [seeds, pictures]: 0 training, 1 validation, which ends training early, 2 test. Needs keras;
exit code 3 without it.
"""

import sys

import numpy as np

PATIENCE = 10
MAX_ROUNDS = 300


def main():
    try:
        import keras
    except ImportError as error:
        print(error, file=sys.stderr)
        return 3
    found = np.load(sys.argv[1])
    features, labels = found["features"], found["labels"]
    for seed, splits in enumerate(found["splits"]):
        keras.utils.set_random_seed(seed)
        trained, judged, tested = (splits == number for number in range(3))
        units = int(labels.max()) + 1
        head = keras.Sequential([keras.layers.Dense(units, activation="softmax")])
        head.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        head.fit(
            features[trained],
            labels[trained],
            validation_data=(features[judged], labels[judged]),
            epochs=MAX_ROUNDS,
            callbacks=[keras.callbacks.EarlyStopping(patience=PATIENCE, restore_best_weights=True)],
            verbose=0,
        )
        right = head.predict(features[tested], verbose=0).argmax(axis=1) == labels[tested]
        print(right.mean(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
