"""`edge bench`: the running server measured against the bare work it does.

The bare work (`bare`) is what no server can save: decode a JPEG at the scale the service uses, resize, invoke; as many
threads as the server has workers, in a process of its own that does nothing else. The server is `edge serve` itself in
a process of its own, asked over loopback by a load generator (`load`) in a third. The steps of a run (`run`):

* Start the server several times; the time from the command to the first 200 on `/predict`. Memory after the last.
* Rounds: for each image size and number of connections, the bare work and at once after it the server. What is
  reported is the median of the rounds; the ratio is made in each pair before its median is taken. The two never run at
  the same time, so that they see the same machine, and a noisy neighbour spoils a pair and not the report.
* At the largest size, in each round, the same frame in a multipart body at once after the raw one.
* Memory again, after three seconds of rest and with the other processes ended, so that no page is counted as shared
  with them. (PSS still counts pages shared with whatever else runs on the machine in shares; RSS bounds it.)

Every point is warmed up, then measured until its last answer is in: frames and CPU are counted whole. CPU time is
user and system of all threads (and children), as the kernel counts it; the load generator's own is reported beside it.
The connections are kept open and closed-loop: each sends its next frame when it has its answer, a refusal included,
with no pause, which no polite client would do. Frames are the same for all: JPEGs made from the shipped photos
(`frames`).
"""
