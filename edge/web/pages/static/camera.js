// The webcam: opens it, watches it, and opens it again after a loss.

const RETRY_MS = 2000;
const STALLED_MS = 3000;
const FRONT_NAMES = /\bfront\b|facetime|integrated|built-?in/i; // as phones and laptops call theirs

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

  /** Use the camera of the name `wanted`, or whose name contains it; any camera if empty. */
  use(wanted) {
    this.#wanted = wanted;
    this.#close();
    return this.#open();
  }

  /** Whether it looks at the person in front of the screen, as far as the browser or the camera's name tells. */
  get isFront() {
    const track = this.#stream?.getVideoTracks()[0];
    const facing = track?.getSettings?.().facingMode;
    return facing ? facing === "user" : FRONT_NAMES.test(track?.label ?? "");
  }

  /** Names of the cameras, each once; browsers reveal them when one is allowed. */
  async names() {
    return (await this.#cameras()).map((one) => one.name);
  }

  /** The cameras that have a name; the second of two alike is called "Webcam (2)". */
  async #cameras() {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    const cameras = devices.filter((one) => one.kind === "videoinput" && one.label);
    const taken = new Set();
    return cameras.map(({ label, deviceId }) => {
      let name = label;
      for (let number = 2; taken.has(name); number += 1) name = `${label} (${number})`;
      taken.add(name);
      return { name, deviceId };
    });
  }

  async #open() {
    if (!navigator.mediaDevices) return this.#setState("insecure");
    if (this.#trying) return;
    this.#trying = true;
    const wanted = this.#wanted;
    try {
      const device = await this.#device();
      await this.#start(device);
      if (wanted && !device) {
        // Until a camera is allowed, some browsers tell no names.
        const found = await this.#device();
        const opened = this.#stream.getVideoTracks()[0].getSettings?.().deviceId;
        if (found && found !== opened) await this.#start(found);
      }
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

  /** Start a device, in the place of the one before; any camera if it is null. */
  async #start(device) {
    this.#stop();
    const video = { width: { ideal: 1280 }, height: { ideal: 720 } };
    if (device) video.deviceId = { exact: device };
    else if (!this.#wanted) video.facingMode = { ideal: "environment" };
    this.#stream = await navigator.mediaDevices.getUserMedia({ audio: false, video });
  }

  /** The device that is wanted; null if any is, or if it is not there. */
  async #device() {
    if (!this.#wanted) return null;
    const cameras = await this.#cameras();
    const named = cameras.find((one) => one.name === this.#wanted);
    return (named ?? cameras.find((one) => one.name.includes(this.#wanted)))?.deviceId ?? null;
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
    this.#stop();
    this.#video.srcObject = null;
  }

  #stop() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
  }

  #setState(state) {
    this.state = state;
    this.#onState(state);
  }
}
