// The device's own lock, by WebAuthn's extension `prf`: it gives 32 bytes for an input, after its owner has unlocked it.
// Nothing is sent anywhere: the challenge is random and the signature is not looked at; only the bytes count.

const random = (length) => crypto.getRandomValues(new Uint8Array(length));

function code(error) {
  if (error === "unsupported") return error;
  return error?.name === "NotAllowedError" || error?.name === "AbortError" ? "cancelled" : "device";
}

export async function available() {
  try {
    return !!(await PublicKeyCredential?.isUserVerifyingPlatformAuthenticatorAvailable?.());
  } catch {
    return false;
  }
}

// Makes a credential and asks it for `input`: [credential id, 32 bytes].
export async function enrol(input) {
  try {
    const credential = await navigator.credentials.create({
      publicKey: {
        challenge: random(32),
        rp: { name: "Countersign" },
        user: { id: random(16), name: "Countersign", displayName: "Countersign" },
        pubKeyCredParams: [
          { type: "public-key", alg: -7 },
          { type: "public-key", alg: -8 },
          { type: "public-key", alg: -257 },
        ],
        authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
        extensions: { prf: { eval: { first: input } } },
      },
    });
    const prf = credential.getClientExtensionResults().prf;
    if (!prf?.enabled) throw "unsupported";
    const id = new Uint8Array(credential.rawId);
    // Some authenticators answer only when the credential is used.
    const bytes = prf.results?.first ?? (await evaluate([[id, input]]))[1];
    return [id, new Uint8Array(bytes)];
  } catch (error) {
    throw code(error);
  }
}

async function evaluate(slots) {
  const base64url = (bytes) =>
    btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const evalByCredential = Object.fromEntries(slots.map(([id, input]) => [base64url(id), { first: input }]));
  const assertion = await navigator.credentials.get({
    publicKey: {
      challenge: random(32),
      allowCredentials: slots.map(([id]) => ({ type: "public-key", id })),
      userVerification: "required",
      extensions: { prf: { evalByCredential } },
    },
  });
  const bytes = assertion.getClientExtensionResults().prf?.results?.first;
  if (!bytes) throw "unsupported";
  return [new Uint8Array(assertion.rawId), new Uint8Array(bytes)];
}

// Asks whichever of the credentials is there: [credential id, 32 bytes]. `slots` are [credential id, input].
export async function unlock(slots) {
  try {
    return await evaluate(slots);
  } catch (error) {
    throw code(error);
  }
}
