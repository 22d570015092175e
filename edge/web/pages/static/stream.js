// The browser's client of /stream: frames out, answers in, and a new connection whenever the old one fails.
//
// At most two frames are under way, since the server computes one and lets one wait. The next frame is sent after
// an answer has arrived and the last frame has left this machine, so that a slow link or a busy server lowers the
// rate instead of building a backlog.

const UNDER_WAY = 2;
const SILENT_MS = 4000;
const LOOK_MS = 500;
const RECONNECT_MS = [300, 700, 1500, 2000];

/** `onAnswer(message, image)` gets each answer and the frame it is about; `onState(state)` gets open, gone or slow. */
export class Stream {
  #parameters = {};
  #socket = null;
  #onAnswer;
  #onState;
  #underWay = 0;
  #sent = []; // frames without an answer yet
  #heard = 0;
  #failures = 0;
  #silent = false;
  #timer = 0;

  constructor(onAnswer, onState) {
    this.#onAnswer = onAnswer;
    this.#onState = onState;
    setInterval(() => this.#look(), LOOK_MS);
    window.addEventListener("online", () => this.#reconnect(0));
  }

  /** Connect, or reconnect, with a model and a camera's name. */
  open(parameters) {
    this.#parameters = parameters;
    this.#connect();
  }

  /** Whether a frame can be sent now without waiting behind others. */
  get free() {
    const open = this.#socket?.readyState === WebSocket.OPEN;
    return open && this.#underWay < UNDER_WAY && this.#socket.bufferedAmount === 0;
  }

  /** Send a frame, an encoded image. */
  send(image) {
    if (!this.free) return;
    if (!this.#underWay) this.#heard = performance.now();
    this.#underWay += 1;
    this.#sent.push(image);
    this.#socket.send(image);
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#drop();
    const url = new URL("stream", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    for (const [name, value] of Object.entries(this.#parameters)) if (value) url.searchParams.set(name, value);
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#heard = performance.now();
    socket.addEventListener("open", () => {
      if (this.#socket !== socket) return;
      this.#failures = 0;
      if (!this.#silent) this.#onState("open");
    });
    socket.addEventListener("message", (event) => {
      if (this.#socket !== socket) return; // an old connection answers other frames
      const message = JSON.parse(event.data);
      if (this.#silent) this.#onState("open");
      this.#silent = false;
      this.#heard = performance.now();
      this.#underWay = Math.max(0, this.#underWay - 1 - message.dropped);
      const [image] = this.#sent.splice(0, 1 + message.dropped).slice(-1);
      this.#onAnswer(message, image);
    });
    socket.addEventListener("close", () => {
      if (this.#socket !== socket) return;
      this.#silent = false;
      this.#onState("gone");
      this.#reconnect(RECONNECT_MS[Math.min(this.#failures++, RECONNECT_MS.length - 1)]);
    });
  }

  #reconnect(after) {
    clearTimeout(this.#timer);
    if (this.#socket?.readyState === WebSocket.OPEN) return;
    this.#timer = setTimeout(() => this.#connect(), after);
  }

  /** Reconnect if an answer or a handshake is overdue: a link may fail silently. */
  #look() {
    const state = this.#socket?.readyState;
    const waits = state === WebSocket.CONNECTING || (state === WebSocket.OPEN && this.#underWay > 0);
    if (waits && performance.now() - this.#heard > SILENT_MS) {
      this.#silent = true; // until an answer arrives; an open connection proves little
      this.#onState("slow");
      this.#connect();
    }
  }

  #drop() {
    const old = this.#socket;
    this.#socket = null;
    this.#underWay = 0;
    this.#sent = [];
    old?.close();
  }
}
