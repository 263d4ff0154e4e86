// A drawing pad. The pen draws here, at once, and each new raster becomes the widget's state.
// ipywidgets sends the latest state when the kernel has answered the one before: a slow kernel
// skips rasters, and they do not queue.

const STEP = 8; // pixels that Shift + arrow moves

const bytes = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

export default () => {
  const history = []; // rasters before each stroke; all views of a pad share them
  return {
    initialize({ model }) {
      model.on("msg:custom", ({ action }, buffers) => {
        if (action === "undo") undo(model);
        if (action === "put") put(model, buffers[0]);
      });
    },
    render({ model, el }) {
      return new View(model, el).remove;
    },
  };

  function put(model, pixels) {
    history.push(model.get("pixels"));
    show(model, pixels);
  }

  function undo(model) {
    if (history.length) show(model, history.pop());
  }

  function show(model, pixels) {
    model.set("pixels", pixels);
    model.save_changes();
  }

  function View(model, el) {
    const size = model.get("size");
    const canvas = document.createElement("canvas");
    const ring = document.createElement("div"); // where the pen is, and how broad
    canvas.width = canvas.height = size;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application"); // screen readers pass keys on
    canvas.setAttribute("aria-label", model.get("label"));
    canvas.dataset.lmSuppressShortcuts = "true"; // so that JupyterLab ignores the arrows
    ring.className = "gancourse-ring";
    ring.hidden = true;
    el.classList.add("gancourse-pad");
    el.append(canvas, ring);

    const context = canvas.getContext("2d");
    let pen = { x: size / 2, y: size / 2 }; // in pixels of the raster
    let down = false; // by a pointer
    let lowered = false; // by the space bar

    const draw = () => {
      const pixels = bytes(model.get("pixels"));
      const palette = model.get("palette"); // empty: the bytes are greys
      const image = context.createImageData(size, size);
      pixels.forEach((byte, i) => {
        const [r, g, b] = palette[byte] ?? [byte, byte, byte];
        image.data.set([r, g, b, 255], 4 * i);
      });
      context.putImageData(image, 0, 0);
    };

    const showRing = (visible = true) => {
      const percent = (x) => `${(100 * x) / size}%`;
      ring.hidden = !visible;
      ring.style.left = percent(pen.x);
      ring.style.top = percent(pen.y);
      ring.style.width = ring.style.height = percent(Math.max(model.get("brush"), 1));
      ring.classList.toggle("gancourse-lowered", lowered);
    };

    // Fill the pixels within the brush's radius of the way; a pen has a soft edge, a part has not.
    const stroke = (way) => {
      const pixels = bytes(model.get("pixels")).slice();
      const soft = !model.get("palette").length;
      const radius = model.get("brush") / 2;
      const tool = model.get("tool");
      const reach = radius + 1;
      for (let i = 0; i < Math.max(way.length - 1, 1); i++) {
        const a = way[i];
        const b = way[i + 1] ?? a;
        const [dx, dy] = [b.x - a.x, b.y - a.y];
        const [left, right] = [Math.min(a.x, b.x) - reach, Math.max(a.x, b.x) + reach];
        const [top, bottom] = [Math.min(a.y, b.y) - reach, Math.max(a.y, b.y) + reach];
        for (let y = Math.max(0, Math.floor(top)); y < Math.min(size, bottom); y++) {
          for (let x = Math.max(0, Math.floor(left)); x < Math.min(size, right); x++) {
            const [px, py] = [x + 0.5 - a.x, y + 0.5 - a.y];
            const along = (px * dx + py * dy) / (dx * dx + dy * dy || 1);
            const t = Math.min(1, Math.max(0, along));
            const covered = radius + 0.5 - Math.hypot(px - t * dx, py - t * dy);
            const j = y * size + x;
            if (!soft) {
              if (covered >= 0.5) pixels[j] = tool;
            } else if (covered > 0) {
              const grey = Math.round(255 * Math.min(1, covered));
              pixels[j] = tool ? Math.max(pixels[j], grey) : Math.min(pixels[j], 255 - grey);
            }
          }
        }
      }
      show(model, new DataView(pixels.buffer));
    };

    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return {
        x: ((event.clientX - box.left) / box.width) * size,
        y: ((event.clientY - box.top) / box.height) * size,
      };
    };

    const moveTo = (points, drawing) => {
      if (drawing) stroke([pen, ...points]);
      pen = points.at(-1);
      showRing();
    };

    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !event.isPrimary) return;
      canvas.setPointerCapture(event.pointerId);
      history.push(model.get("pixels"));
      down = true;
      pen = at(event);
      moveTo([pen], true);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!event.isPrimary) return; // a second finger
      const points = event.getCoalescedEvents?.() ?? [];
      moveTo((points.length ? points : [event]).map(at), down);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => (down = false));
    }
    canvas.addEventListener("pointerleave", () => showRing(false));
    canvas.addEventListener("blur", () => {
      lowered = false;
      showRing(false);
    });
    canvas.addEventListener("focus", () => canvas.matches(":focus-visible") && showRing());
    canvas.addEventListener("keydown", (event) => {
      const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const inside = (x) => Math.min(size - 0.5, Math.max(0.5, Math.floor(x) + 0.5));
      if (event.key in arrow) {
        const [dx, dy] = arrow[event.key].map((d) => d * (event.shiftKey ? STEP : 1));
        moveTo([{ x: inside(pen.x + dx), y: inside(pen.y + dy) }], lowered);
      } else if (event.key === " ") {
        lowered = !lowered;
        if (lowered) {
          history.push(model.get("pixels"));
          pen = { x: inside(pen.x), y: inside(pen.y) };
          moveTo([pen], true);
        }
        showRing();
      } else if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) {
        undo(model);
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    });

    model.on("change:pixels", draw);
    this.remove = () => model.off("change:pixels", draw);
    draw();
  }
};
