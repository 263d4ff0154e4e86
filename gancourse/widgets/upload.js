// Chooses a file and sends it. Its size is checked here: a message beyond the server's limit would
// close the connection to the kernel.

function render({ model, el }) {
  const button = document.createElement("button");
  const input = document.createElement("input");
  const most = model.get("most");
  button.className = "lm-Widget jupyter-button";
  button.textContent = model.get("label");
  button.addEventListener("click", () => input.click());
  input.type = "file";
  input.accept = "image/*";
  input.hidden = true;
  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return;
    const facts = { name: file.name, size: file.size };
    try {
      const content = file.size <= most ? [await file.arrayBuffer()] : [];
      model.send(facts, undefined, content);
    } catch (problem) {
      model.send({ ...facts, problem: problem.message });
    }
    input.value = ""; // the same file can be chosen again
  });
  el.append(button, input);
}

export default { render };
