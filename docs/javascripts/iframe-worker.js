// The search of a site that is opened from a disk. Browsers start no worker from a file, so what the
// theme would run in one runs in a hidden frame: the same script, the same messages. (The theme's
// plugin for sites on a disk loads a script like this one from a network, unless one of this name is
// given.)
if (location.protocol === "file:") {
  const load = (frame, url) =>
    new Promise((done, failed) => {
      const script = frame.document.createElement("script");
      Object.assign(script, { src: url, onload: done, onerror: failed });
      frame.document.body.append(script);
    });

  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.element = document.createElement("iframe");
      this.element.hidden = true;
      document.body.append(this.element);
      const frame = (this.frame = this.element.contentWindow);
      frame.document.open(); // now it is the frame's last document; nothing replaces it later
      frame.document.write("<!doctype html><body></body>");
      frame.document.close();
      frame.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      frame.importScripts = async (...urls) => {
        for (const one of urls) await load(frame, new URL(one, url));
      };
      this.ready = load(frame, url);
    }

    postMessage(data) {
      const message = new MessageEvent("message", { data: structuredClone(data) });
      this.ready.then(() => this.frame.dispatchEvent(message));
    }

    terminate() {
      this.element.remove();
    }
  };
}
