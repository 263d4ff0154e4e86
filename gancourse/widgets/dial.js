// A dial in two directions: a point on a picture, moved by mouse, finger, pen or keyboard. The
// place becomes the widget's state at once. ipywidgets sends the latest state when the kernel has
// answered the one before: a slow kernel skips places, and they do not queue.

const STEP = 0.02; // of the side, that an arrow moves; five times as much with Shift

export default {
  render({ model, el }) {
    const picture = document.createElement("img");
    const ring = document.createElement("div");
    let url = "";
    let down = false;
    el.classList.add("gancourse-dial");
    el.tabIndex = 0;
    el.setAttribute("role", "application"); // screen readers pass keys on
    el.dataset.lmSuppressShortcuts = "true"; // so that JupyterLab ignores the arrows
    ring.className = "gancourse-ring";
    picture.draggable = false;
    picture.alt = "";
    el.append(picture, ring);

    const draw = () => {
      const view = model.get("picture");
      const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
      URL.revokeObjectURL(url);
      url = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
      picture.src = url;
    };

    const place = () => {
      const [x, y] = model.get("place");
      ring.style.left = `${100 * x}%`;
      ring.style.top = `${100 * y}%`;
      el.setAttribute("aria-label", model.get("label"));
    };

    const moveTo = (x, y) => {
      const inside = (v) => Math.min(1, Math.max(0, v));
      model.set("place", [inside(x), inside(y)]);
      model.save_changes();
    };

    const follow = (event) => {
      const box = picture.getBoundingClientRect();
      moveTo((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    };

    el.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !event.isPrimary) return;
      el.setPointerCapture(event.pointerId);
      down = true;
      follow(event);
    });
    el.addEventListener("pointermove", (event) => {
      if (down && event.isPrimary) follow(event);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      el.addEventListener(end, () => (down = false));
    }
    el.addEventListener("keydown", (event) => {
      const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (event.key in arrow) {
        const [dx, dy] = arrow[event.key].map((d) => d * STEP * (event.shiftKey ? 5 : 1));
        const [x, y] = model.get("place");
        moveTo(x + dx, y + dy);
      } else if (event.key === "Home") {
        moveTo(0.5, 0.5);
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    });

    model.on("change:picture", draw);
    model.on("change:place change:label", place);
    draw();
    place();
    return () => {
      model.off("change:picture", draw);
      model.off("change:place change:label", place);
      URL.revokeObjectURL(url);
    };
  },
};
