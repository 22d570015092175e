// The browser's client of the stream door: frames out, answers in, and a new connection whenever the old one fails.
//
// As many frames are under way as the server takes, one computed and one waiting; the next is sent when an answer has
// come and the last has left this machine. So a slow link or a busy server lowers the rate and builds no backlog.

const UNDER_WAY = 2;
const SILENT_MS = 4000;
const LOOK_MS = 500;
const RECONNECT_MS = [300, 700, 1500, 2000];

/** `answered(message)` gets each answer; `told(state)` gets open, gone or slow. */
export class Stream {
  #parameters = {};
  #socket = null;
  #answered;
  #told;
  #underWay = 0;
  #heard = 0;
  #failures = 0;
  #silent = false;
  #timer = 0;

  constructor(answered, told) {
    this.#answered = answered;
    this.#told = told;
    setInterval(() => this.#look(), LOOK_MS);
    window.addEventListener("online", () => this.#reconnect(0));
  }

  /** Connect, or connect anew, for a model and under a camera's name. */
  open(parameters) {
    this.#parameters = parameters;
    this.#connect();
  }

  /** Whether a frame sent now would not wait behind others. */
  get free() {
    const open = this.#socket?.readyState === WebSocket.OPEN;
    return open && this.#underWay < UNDER_WAY && this.#socket.bufferedAmount === 0;
  }

  /** Send a frame, an encoded image. */
  send(image) {
    if (!this.free) return;
    if (!this.#underWay) this.#heard = performance.now();
    this.#underWay += 1;
    this.#socket.send(image);
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#drop();
    const url = new URL("/stream", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    for (const [name, value] of Object.entries(this.#parameters)) if (value) url.searchParams.set(name, value);
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#heard = performance.now();
    socket.addEventListener("open", () => {
      if (this.#socket !== socket) return;
      this.#failures = 0;
      if (!this.#silent) this.#told("open");
    });
    socket.addEventListener("message", (event) => {
      if (this.#socket !== socket) return; // what an old one still says is about other frames
      const message = JSON.parse(event.data);
      if (this.#silent) this.#told("open");
      this.#silent = false;
      this.#heard = performance.now();
      this.#underWay = Math.max(0, this.#underWay - 1 - message.dropped);
      this.#answered(message);
    });
    socket.addEventListener("close", () => {
      if (this.#socket !== socket) return;
      this.#silent = false;
      this.#told("gone");
      this.#reconnect(RECONNECT_MS[Math.min(this.#failures++, RECONNECT_MS.length - 1)]);
    });
  }

  #reconnect(after) {
    clearTimeout(this.#timer);
    if (this.#socket?.readyState === WebSocket.OPEN) return;
    this.#timer = setTimeout(() => this.#connect(), after);
  }

  /** A link may die without a word: an answer that does not come, or a handshake, ends the connection. */
  #look() {
    const state = this.#socket?.readyState;
    const waits = state === WebSocket.CONNECTING || (state === WebSocket.OPEN && this.#underWay > 0);
    if (waits && performance.now() - this.#heard > SILENT_MS) {
      this.#silent = true; // until an answer comes; that a connection opens says little
      this.#told("slow");
      this.#connect();
    }
  }

  #drop() {
    const old = this.#socket;
    this.#socket = null;
    this.#underWay = 0;
    old?.close();
  }
}
