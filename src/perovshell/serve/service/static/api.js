// Asking the service.

const KEY = "perovshell-key";

export class ServiceError extends Error {
  constructor(status, message, retryAfter = null) {
    super(message);
    Object.assign(this, { status, retryAfter });
  }
}

// What is done when the service has answered something.
let act = () => {};
export const whenAnswered = (action) => {
  act = action;
};

export const keepKey = (key) => sessionStorage.setItem(KEY, key);

const explain = async (response) => {
  const problem = await response.json().catch(() => ({}));
  const message = problem.detail ?? `The service answered ${response.status}.`;
  return new ServiceError(response.status, message, response.headers.get("retry-after"));
};

// Sends a request; throws ServiceError where there is no answer, AbortError where it was cancelled.
const send = async (path, options = {}) => {
  const key = sessionStorage.getItem(KEY);
  const headers = { ...options.headers, ...(key ? { authorization: `Bearer ${key}` } : {}) };
  let response;
  try {
    response = await fetch(`v1/${path}`, { ...options, headers });
  } catch (fault) {
    if (fault.name === "AbortError") throw fault;
    throw new ServiceError(0, "The service cannot be reached. It may have been stopped, or the network is down.");
  }
  if (!response.ok) throw await explain(response);
  act();
  return response;
};

const post = (path, body, { signal, accept = "application/json" } = {}) =>
  send(path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", accept },
    signal,
  });

export const read = async (path, signal) => (await send(path, { signal })).json();
export const readText = async (path, signal) => (await send(path, { signal })).text();
export const ask = async (path, body, signal) => (await post(path, body, { signal })).json();
export const askHtml = async (path, body, signal) => (await post(path, body, { signal, accept: "text/html" })).blob();

// Runs one task at a time: a new one cancels the old, whose result is then undefined, never late.
export const latest = (task) => {
  let running = null;
  const run = async (...values) => {
    running?.abort();
    const controller = new AbortController();
    running = controller;
    try {
      const result = await task(controller.signal, ...values);
      return controller.signal.aborted ? undefined : result;
    } catch (fault) {
      if (controller.signal.aborted) return undefined;
      throw fault;
    }
  };
  return Object.assign(run, { cancel: () => running?.abort() });
};

export const debounce = (act, milliseconds) => {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, milliseconds);
  };
};
