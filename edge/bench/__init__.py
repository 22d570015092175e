"""`edge bench` measures the running server against the bare work it does.

The bare work (`bare`) is what no server can save: decode a JPEG at the scale the service uses,
resize, invoke. It uses as many threads as the server has workers, in its own process that does
nothing else. As the service's pixel path becomes faster, so does the bare work; the `yardstick`
does not change. The server is `edge serve` in its own process; a load generator (`load`) in a third
process calls it over loopback. The steps of a run (`run`):

* Start the server several times and measure the time from the command to the first 200 on
  `/predict`. After the last start, read its memory.
* Rounds: for each image size and number of connections, the yardstick, the bare work and
  immediately after them the server. Reports give the median of the rounds; a ratio is computed per
  round before its median is taken. They never run at the same time: all see the same machine, and a
  noisy neighbour spoils a round, not the report.
* At eight connections, in each round, the same frames through the other `entrances`, immediately
  after the raw ones.
* Memory again, after three seconds of rest and with the other processes ended, so that no page
  counts as shared with them. (PSS still counts pages shared with other programs in shares; RSS is
  its upper bound.)

Every point is warmed up, then measured until its last answer is in: frames and CPU are counted
whole. CPU time is user and system time of all threads and children, as the kernel counts it; the
load generator's own is reported next to it. Connections are kept open and closed-loop: each sends
its next frame when it has its answer, refusals included, without a pause, which no polite client
would do. Frames are the same for all: JPEGs made from the shipped photos (`frames`).
"""
