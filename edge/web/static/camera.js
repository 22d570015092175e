// The webcam: finds it, keeps it, and finds it again when it was gone.

const RETRY_MS = 2000;
const STALLED_MS = 3000;

/** Shows a camera in a video element; tells its state: starting, live, none, denied, lost, insecure. */
export class Camera {
  #video;
  #told;
  #stream = null;
  #wanted = "";
  #shown = 0;
  #moved = 0;
  #trying = false;

  constructor(video, told) {
    this.#video = video;
    this.#told = told;
    this.state = "starting";
    navigator.mediaDevices?.addEventListener("devicechange", () => this.state !== "live" && this.#open());
    setInterval(() => this.#look(), RETRY_MS);
  }

  /** Use the camera whose name holds `wanted`; any if empty. */
  use(wanted) {
    this.#wanted = wanted;
    this.#close();
    return this.#open();
  }

  /** Names of the cameras; browsers tell them once one is allowed. */
  async names() {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    return devices.filter((one) => one.kind === "videoinput" && one.label).map((one) => one.label);
  }

  async #open() {
    if (!navigator.mediaDevices) return this.#tell("insecure");
    if (this.#trying) return;
    this.#trying = true;
    const wanted = this.#wanted;
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: await this.#constraints() });
      const [track] = this.#stream.getVideoTracks();
      track.addEventListener("ended", () => this.#lose());
      this.#video.srcObject = this.#stream;
      await this.#video.play();
      this.#moved = performance.now();
      this.#tell("live");
    } catch (error) {
      this.#close();
      const states = { NotAllowedError: "denied", NotFoundError: "none", OverconstrainedError: "none" };
      this.#tell(states[error.name] ?? "lost");
    } finally {
      this.#trying = false;
    }
    if (this.#wanted !== wanted) await this.use(this.#wanted); // another was chosen while this one opened
  }

  async #constraints() {
    const size = { width: { ideal: 1280 }, height: { ideal: 720 } };
    if (!this.#wanted) return { ...size, facingMode: { ideal: "environment" } };
    const devices = await navigator.mediaDevices.enumerateDevices();
    const device = devices.find((one) => one.kind === "videoinput" && one.label.includes(this.#wanted));
    return device ? { ...size, deviceId: { exact: device.deviceId } } : size;
  }

  /** Now and then: does the picture still move? If there is none, is there one again? */
  #look() {
    if (document.hidden || this.state === "insecure") return;
    if (this.state !== "live") {
      this.#open();
    } else if (this.#stream.getVideoTracks()[0].readyState === "ended") {
      this.#lose();
    } else if (this.#frames() !== this.#shown || this.#video.paused) {
      this.#shown = this.#frames();
      this.#moved = performance.now();
    } else if (performance.now() - this.#moved > STALLED_MS) {
      this.#lose();
    }
  }

  #frames() {
    return this.#video.getVideoPlaybackQuality?.().totalVideoFrames ?? this.#video.currentTime;
  }

  #lose() {
    this.#close();
    this.#tell("lost");
  }

  #close() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.#video.srcObject = null;
  }

  #tell(state) {
    this.state = state;
    this.#told(state);
  }
}
