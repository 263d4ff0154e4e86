// A picture whose things are buttons: each lies over the box of its thing, and the browser makes it
// answer to mouse, finger and keyboard. A click becomes the widget's state: its number and the thing.

export default {
  render({ model, el }) {
    const picture = document.createElement("img");
    const spots = document.createElement("div");
    let url = "";
    el.classList.add("gancourse-instances");
    spots.className = "gancourse-spots";
    picture.draggable = false;
    picture.alt = "";
    el.append(picture, spots);

    const draw = () => {
      const view = model.get("picture");
      const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
      URL.revokeObjectURL(url);
      url = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
      picture.src = url;
    };

    const press = (index) => {
      const [count] = model.get("pressed");
      model.set("pressed", [count + 1, index]);
      model.save_changes();
    };

    const place = () => {
      const things = model.get("things");
      while (spots.children.length > things.length) spots.lastChild.remove();
      while (spots.children.length < things.length) {
        const index = spots.children.length;
        const spot = document.createElement("button");
        spot.type = "button";
        spot.addEventListener("click", () => press(index));
        spots.append(spot);
      }
      things.forEach(({ box, label, changed }, index) => {
        const [left, top, right, bottom] = box.map((v) => `${100 * v}%`);
        const spot = spots.children[index]; // kept, so that it keeps the focus
        Object.assign(spot.style, { left, top, right, bottom });
        spot.title = label;
        spot.setAttribute("aria-label", label);
        spot.setAttribute("aria-pressed", String(changed));
      });
    };

    model.on("change:picture", draw);
    model.on("change:things", place);
    draw();
    place();
    return () => {
      model.off("change:picture", draw);
      model.off("change:things", place);
      URL.revokeObjectURL(url);
    };
  },
};
