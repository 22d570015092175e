// The webcam: opens it, watches it, and opens it again after a loss.

const RETRY_MS = 2000;
const STALLED_MS = 3000;

/** Shows a camera in a video element; `onState` gets starting, live, none, denied, lost or insecure. */
export class Camera {
  #video;
  #onState;
  #stream = null;
  #wanted = "";
  #shown = 0;
  #moved = 0;
  #trying = false;

  constructor(video, onState) {
    this.#video = video;
    this.#onState = onState;
    this.state = "starting";
    navigator.mediaDevices?.addEventListener("devicechange", () => this.state !== "live" && this.#open());
    setInterval(() => this.#look(), RETRY_MS);
  }

  /** Use the camera whose name contains `wanted`; any camera if empty. */
  use(wanted) {
    this.#wanted = wanted;
    this.#close();
    return this.#open();
  }

  /** Names of the cameras; browsers reveal them once one is allowed. */
  async names() {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    return devices.filter((one) => one.kind === "videoinput" && one.label).map((one) => one.label);
  }

  async #open() {
    if (!navigator.mediaDevices) return this.#setState("insecure");
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
      this.#setState("live");
    } catch (error) {
      this.#close();
      const states = { NotAllowedError: "denied", NotFoundError: "none", OverconstrainedError: "none" };
      this.#setState(states[error.name] ?? "lost");
    } finally {
      this.#trying = false;
    }
    if (this.#wanted !== wanted) await this.use(this.#wanted); // the choice changed while this one opened
  }

  async #constraints() {
    const size = { width: { ideal: 1280 }, height: { ideal: 720 } };
    if (!this.#wanted) return { ...size, facingMode: { ideal: "environment" } };
    const devices = await navigator.mediaDevices.enumerateDevices();
    const device = devices.find((one) => one.kind === "videoinput" && one.label.includes(this.#wanted));
    return device ? { ...size, deviceId: { exact: device.deviceId } } : size;
  }

  /** Check whether the picture still moves, or whether a camera is back. */
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
    this.#setState("lost");
  }

  #close() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.#video.srcObject = null;
  }

  #setState(state) {
    this.state = state;
    this.#onState(state);
  }
}
