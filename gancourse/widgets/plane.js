// A plane whose points can be chosen: by mouse, finger or pen, or with the keyboard. The kernel
// draws the picture; a chosen point goes to it as fractions of the width and of the height.

const STEP = 0.02; // of the plane, that an arrow moves; five times as much with Shift

export default {
  render({ model, el }) {
    const picture = document.createElement("img");
    const ring = document.createElement("div"); // where the keyboard is
    let at = { x: 0.5, y: 0.5 };
    let url = "";
    el.classList.add("gancourse-plane");
    el.tabIndex = 0;
    el.setAttribute("role", "application"); // screen readers pass keys on
    el.setAttribute("aria-label", model.get("label"));
    el.dataset.lmSuppressShortcuts = "true"; // so that JupyterLab ignores the arrows
    ring.className = "gancourse-ring";
    ring.hidden = true;
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

    const choose = () => model.send({ action: "choose", x: at.x, y: at.y });

    const showRing = (visible) => {
      ring.hidden = !visible;
      ring.style.left = `${100 * at.x}%`;
      ring.style.top = `${100 * at.y}%`;
    };

    el.addEventListener("pointerup", (event) => {
      if (event.button !== 0 || !event.isPrimary) return;
      const box = picture.getBoundingClientRect();
      const inside = (x) => Math.min(1, Math.max(0, x));
      at = {
        x: inside((event.clientX - box.left) / box.width),
        y: inside((event.clientY - box.top) / box.height),
      };
      showRing(false);
      choose();
    });
    el.addEventListener("blur", () => showRing(false));
    el.addEventListener("focus", () => el.matches(":focus-visible") && showRing(true));
    el.addEventListener("keydown", (event) => {
      const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (event.key in arrow) {
        const [dx, dy] = arrow[event.key].map((d) => d * STEP * (event.shiftKey ? 5 : 1));
        const inside = (x) => Math.min(1, Math.max(0, x));
        at = { x: inside(at.x + dx), y: inside(at.y + dy) };
        showRing(true);
      } else if (event.key === " " || event.key === "Enter") {
        choose();
      } else if (event.key === "Backspace") {
        model.send({ action: "undo" });
      } else if (/^[1-9]$/.test(event.key)) {
        model.send({ action: "class", number: Number(event.key) });
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    });

    model.on("change:picture", draw);
    draw();
    return () => {
      model.off("change:picture", draw);
      URL.revokeObjectURL(url);
    };
  },
};
