// Boxes on a square, moved and resized by mouse, finger, pen or keyboard. New boxes become the
// widget's state at once. ipywidgets sends the latest state when the kernel has answered the one
// before: a slow kernel skips places, and they do not queue.

const STEP = 1 / 64; // of the side, that an arrow moves
const LEAST = 4 / 64; // the smallest side of a box

export default {
  render({ model, el }) {
    const picture = document.createElement("img"); // the masks, below the boxes
    let parts = [];
    let held = null; // what a pointer has taken: the slot, where, and whether by the corner
    let url = "";
    el.classList.add("gancourse-layout");
    el.tabIndex = 0;
    el.setAttribute("role", "application"); // screen readers pass keys on
    el.dataset.lmSuppressShortcuts = "true"; // so that JupyterLab ignores the arrows
    picture.draggable = false;
    picture.alt = "";
    el.append(picture);

    const there = (box) => box[0] >= 0;

    const draw = () => {
      const view = model.get("picture");
      URL.revokeObjectURL(url);
      url = "";
      if (view.byteLength) {
        const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
        url = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
      }
      picture.src = url || "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";
    };

    const place = () => {
      const [boxes, names, colours] = ["boxes", "names", "colours"].map((key) => model.get(key));
      const chosen = model.get("chosen");
      while (parts.length < boxes.length) {
        const box = document.createElement("div");
        const corner = document.createElement("div");
        const name = document.createElement("span");
        box.className = "gancourse-box";
        corner.className = "gancourse-corner";
        box.append(name, corner);
        el.append(box);
        parts.push(box);
      }
      boxes.forEach((box, i) => {
        const part = parts[i];
        part.hidden = !there(box);
        part.style.left = `${100 * box[0]}%`;
        part.style.top = `${100 * box[1]}%`;
        part.style.width = `${100 * (box[2] - box[0])}%`;
        part.style.height = `${100 * (box[3] - box[1])}%`;
        part.style.setProperty("--kind", colours[i] ?? "#888");
        part.firstChild.textContent = names[i] ?? "";
        part.classList.toggle("gancourse-chosen", i === chosen);
      });
      el.setAttribute("aria-label", model.get("label"));
    };

    const put = (slot, box) => {
      const boxes = model.get("boxes").map((b) => [...b]);
      boxes[slot] = box;
      model.set("boxes", boxes);
      model.save_changes();
    };

    const choose = (slot) => {
      model.set("chosen", slot);
      model.save_changes();
    };

    const move = (slot, [l, t, r, b], dx, dy) => {
      dx = Math.min(1 - r, Math.max(-l, dx));
      dy = Math.min(1 - b, Math.max(-t, dy));
      put(slot, [l + dx, t + dy, r + dx, b + dy]);
    };

    const resize = (slot, [l, t, r, b], dx, dy) => {
      const far = (low, high) => Math.min(1, Math.max(low + LEAST, high));
      put(slot, [l, t, far(l, r + dx), far(t, b + dy)]);
    };

    const at = (event) => {
      const side = el.getBoundingClientRect();
      return [(event.clientX - side.left) / side.width, (event.clientY - side.top) / side.height];
    };

    // Of the boxes under a point the smallest, so that one inside another can be reached.
    const under = ([x, y]) => {
      const size = (box) => (box[2] - box[0]) * (box[3] - box[1]);
      const hit = (b) => there(b) && b[0] <= x && x < b[2] && b[1] <= y && y < b[3];
      const boxes = model.get("boxes");
      const found = boxes.map((_, i) => i).filter((i) => hit(boxes[i]));
      return found.sort((i, j) => size(boxes[i]) - size(boxes[j]))[0];
    };

    el.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !event.isPrimary) return;
      const corner = event.target.classList.contains("gancourse-corner");
      const slot = corner ? parts.indexOf(event.target.parentElement) : under(at(event));
      if (slot === undefined) return;
      el.setPointerCapture(event.pointerId);
      held = { slot, corner, start: at(event), box: model.get("boxes")[slot] };
      choose(slot);
    });
    el.addEventListener("pointermove", (event) => {
      if (!held || !event.isPrimary) return;
      const [x, y] = at(event);
      const way = [x - held.start[0], y - held.start[1]];
      (held.corner ? resize : move)(held.slot, held.box, ...way);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      el.addEventListener(end, () => (held = null));
    }

    el.addEventListener("keydown", (event) => {
      const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const boxes = model.get("boxes");
      const chosen = model.get("chosen");
      if (event.key in arrow && boxes[chosen] && there(boxes[chosen])) {
        const way = arrow[event.key].map((d) => d * STEP * (event.ctrlKey ? 4 : 1));
        (event.shiftKey ? resize : move)(chosen, boxes[chosen], ...way);
      } else if (event.key === " ") {
        const slots = boxes.map((_, i) => (i + chosen + 1) % boxes.length);
        choose(slots.find((i) => there(boxes[i])) ?? chosen);
      } else if (event.key === "Delete" && boxes[chosen]) {
        put(chosen, [-1, -1, -1, -1]);
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    });

    model.on("change:picture", draw);
    model.on("change:boxes change:names change:colours change:chosen change:label", place);
    draw();
    place();
    return () => {
      model.off("change:picture", draw);
      model.off("change:boxes change:names change:colours change:chosen change:label", place);
      URL.revokeObjectURL(url);
    };
  },
};
