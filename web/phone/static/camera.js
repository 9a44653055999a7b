// The camera and pictures, as pixels for the reader.

let stream;
// Counts starts and stops, so that a start knows when another one has overtaken it.
let turn = 0;

function code(error) {
  switch (error?.name) {
    case "NotAllowedError":
    case "SecurityError":
      return "camera_refused";
    case "NotFoundError":
    case "OverconstrainedError":
      return "camera_missing";
    default:
      return "camera";
  }
}

// Shows the camera in `video`. `device` is a camera's id, or empty for the one that looks away from the person.
// Hands back [[id, name] of each camera, id of this one, whether it has a light].
export async function start(video, device) {
  stop();
  const mine = turn;
  if (!navigator.mediaDevices?.getUserMedia) throw "camera_missing";
  try {
    const wish = device ? { deviceId: { exact: device } } : { facingMode: { ideal: "environment" } };
    const size = { width: { ideal: 1280 }, height: { ideal: 720 } };
    const opened = await navigator.mediaDevices.getUserMedia({ video: { ...wish, ...size }, audio: false });
    if (mine !== turn || !video.isConnected) {
      for (const track of opened.getTracks()) track.stop();
      throw "cancelled";
    }
    stream = opened;
    video.srcObject = stream;
    await video.play();
    const [track] = stream.getVideoTracks();
    const cameras = (await navigator.mediaDevices.enumerateDevices()).filter((one) => one.kind === "videoinput");
    const names = cameras.map((one, index) => [one.deviceId, one.label || String(index + 1)]);
    return [names, track.getSettings().deviceId ?? "", !!track.getCapabilities?.().torch];
  } catch (error) {
    // The picture was taken away under a start that was overtaken; that is no trouble of the camera's.
    if (mine !== turn) throw "cancelled";
    throw typeof error === "string" ? error : code(error);
  }
}

export function stop() {
  turn += 1;
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = undefined;
}

export async function light(on) {
  await stream?.getVideoTracks()[0]?.applyConstraints({ advanced: [{ torch: on }] });
}

const canvas = document.createElement("canvas");
const context = canvas.getContext("2d", { willReadFrequently: true });

function pixels(source, width, height, longest) {
  const scale = Math.min(1, longest / Math.max(width, height));
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

// The present picture of the camera; undefined while there is none.
export function frame(video) {
  if (video.readyState < 2 || !video.videoWidth) return undefined;
  try {
    return pixels(video, video.videoWidth, video.videoHeight, 1280);
  } catch {
    // The camera was taken away under the picture.
    return undefined;
  }
}

// A picture file; throws "image" if it is none.
export async function picture(file) {
  try {
    const bitmap = await createImageBitmap(file);
    const data = pixels(bitmap, bitmap.width, bitmap.height, 2400);
    bitmap.close();
    return data;
  } catch {
    throw "image";
  }
}
