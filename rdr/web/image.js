/** The page of one image: decodes it and shows it; a click shows each pixel as one of the screen's, and back. */

const canvas = document.getElementById("image"), state = document.getElementById("state");
const resize = () => {
  canvas.classList.toggle("exact");
  canvas.style.width = canvas.classList.contains("exact") ? `${canvas.width / devicePixelRatio}px` : "";
};
canvas.addEventListener("click", resize);
canvas.addEventListener("keydown", ({ key }) => key === "Enter" && resize());
try {
  const image = await decodeBeside(bytesOf(textOf("message")), canvas.width * canvas.height, (fraction) => {
    state.textContent = `decoding, ${Math.round(100 * fraction)} %`;
  });
  canvasOf(image, canvas);
  if (image.transfer === "srgb") state.remove();
  else Object.assign(state, { textContent: "high dynamic range, tone-mapped for this page" }).style.inset = "auto 0 0 0";
} catch (error) {
  state.textContent = error.message;
}
document.documentElement.dataset.done = "true";
