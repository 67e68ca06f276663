"use strict";
// What is typed goes to this server's own paths, and what it answers is put into the page as text, never as HTML.
const say = JSON.parse(document.body.dataset.words);
const byId = (id) => document.getElementById(id);
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
const share = (value) => (value >= 0.9995 || value < 0.0005 ? value.toFixed(4) : value.toFixed(3));
let about = null;

function make(name, text, className) {
  const one = document.createElement(name);
  if (text !== undefined) one.textContent = text;
  if (className) one.className = className;
  return one;
}

function headers() {
  const key = byId("key").value || sessionStorage.getItem("key") || "";
  return { "Content-Type": "application/json", ...(key ? { Authorization: `Bearer ${key}` } : {}) };
}

async function ask(path, body) {
  let answer;
  try {
    answer = await fetch(path, { method: body ? "POST" : "GET", headers: headers(), body: body && JSON.stringify(body) });
  } catch {
    throw new Error(say.unreachable);
  }
  if (answer.status === 401) byId("keys").hidden = false;
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}));
    const fault = new Error(said.error?.message || said.error || `HTTP ${answer.status}`);
    fault.status = answer.status;
    throw fault;
  }
  if (byId("key").value) sessionStorage.setItem("key", byId("key").value);
  return answer;
}

function bars(rows) {
  const list = make("dl", undefined, "bars");
  rows.forEach(([name, value], place) => {
    const row = make("div", undefined, place ? "" : "first");
    const meter = make("meter");
    Object.assign(meter, { min: 0, max: 1, value });
    meter.setAttribute("aria-label", `${name}: ${share(value)}`);
    const bar = make("dd");
    bar.append(meter);
    row.append(make("dt", name), bar, make("dd", share(value)));
    list.append(row);
  });
  return list;
}

function show(title, ...parts) {
  byId("answer-title").textContent = title;
  byId("shown").replaceChildren(...parts);
  byId("answer").hidden = false;
}

// Offsets count characters, where JavaScript counts halves of some.
function marked(text, spans, mark) {
  const characters = Array.from(text);
  const parts = [];
  let at = 0;
  for (const span of [...spans].sort((a, b) => a.start - b.start)) {
    if (span.start < at) continue;
    parts.push(characters.slice(at, span.start).join(""));
    parts.push(mark(characters.slice(span.start, span.end).join(""), span));
    at = span.end;
  }
  return [...parts, characters.slice(at).join("")];
}

async function classify(text, pair) {
  const inputs = pair === null ? text : [text, pair];
  const answer = await (await ask("classify", { inputs })).json();
  if ("value" in answer) show(say.answer, make("p", `${say.value}${say.colon}${answer.value.toFixed(3)}`, "written"));
  else {
    const rows = Object.entries(answer.probabilities).sort((a, b) => b[1] - a[1]);
    const shown = make("p", answer.label || say.none, "written");
    const more = (answer.other_labels || 0) + Math.max(0, rows.length - 20);
    const rest = more ? [make("p", fill(say.more, { count: more }), "quiet")] : [];
    show(say.answer, shown, bars(rows.slice(0, 20)), ...rest);
  }
  why(await (await ask("words", { inputs })).json(), [text, pair]);
}

function why(found, texts) {
  const most = Math.max(...found.words.map((one) => Math.abs(one.change)), 0);
  const parts = texts.flatMap((text, of) => {
    if (text === null) return [];
    const own = found.words.filter((one) => one.of === of);
    const shown = marked(text, own, (words, span) => {
      const one = make("mark", words);
      const colour = span.change >= 0 ? "--for" : "--against";
      const strength = most ? Math.min(1, Math.abs(span.change) / most) * Math.min(1, 0.15 + most * 4) : 0;
      one.style.background = `rgb(var(${colour}) / ${(0.5 * strength).toFixed(3)})`;
      one.title = `${span.change >= 0 ? "+" : "−"}${Math.abs(span.change).toFixed(3)}`;
      return one;
    });
    return of ? ["\n\n", ...shown] : shown;
  });
  const shares = found.answer.probabilities;
  const label = shares && Object.keys(shares).reduce((a, b) => (shares[a] >= shares[b] ? a : b));
  byId("marked").replaceChildren(...parts);
  byId("why-hint").textContent = !most ? say.no_words : fill(shares ? say.words_hint : say.words_hint_value, { label });
  byId("why").hidden = false;
}

async function tag(text) {
  const { entities } = await (await ask("tag", { inputs: text })).json();
  const shown = make("p", undefined, "marked");
  shown.append(...marked(text, entities, (words, span) => {
    const one = make("mark", words, "entity");
    one.append(make("small", span.type));
    one.title = `${span.type}, ${say.probability} ${share(span.probability)}`;
    return one;
  }));
  show(say.entities, entities.length ? shown : make("p", say.nothing_found));
}

async function answerOf(question, context) {
  const answer = await (await ask("answer", { inputs: { question, context } })).json();
  const shown = make("p", undefined, "marked");
  const spans = answer.answer === null ? [] : [answer];
  shown.append(...marked(context, spans, (words) => make("mark", words, "entity")));
  const rows = [...spans, ...answer.others].map((one) => [one.answer, one.probability]);
  if ("no_answer_probability" in answer) rows.push([say.no_answer, answer.no_answer_probability]);
  show(say.answer, make("p", answer.answer ?? say.no_answer, "written"), bars(rows.sort((a, b) => b[1] - a[1])), shown);
}

async function fillIn(text) {
  const answer = await (await ask("fill", { inputs: text })).json();
  show(say.answer, make("p", answer.filled, "written"),
    ...answer.masks.map((mask) => bars(mask.map((one) => [one.token, one.probability]))));
}

async function translate(text) {
  const answer = await (await ask("translate", { inputs: text })).json();
  show(say.translation, make("p", answer.translation_text, "written"));
}

async function generate(text) {
  const asked = { prompt: text, max_tokens: Math.max(1, Math.min(100, about.max_input_length >> 1)), temperature: 0.8, top_k: 50, stream: true };
  const answer = await ask("v1/completions", asked);
  const shown = make("p", text, "written");
  show(say.continuation, shown);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (held + value).split("\n\n");
    held = events.pop();
    for (const event of events.map((one) => one.replace(/^data: /, "")).filter((one) => one !== "[DONE]")) {
      const said = JSON.parse(event);
      if (said.error) throw new Error(said.error.message);
      shown.append(...said.choices.map((choice) => choice.text));
    }
  }
}

const ANSWERS = { classification: classify, tagging: tag, question_answering: answerOf, fill: fillIn, translation: translate, generation: generate };

function fault(error) {
  byId("fault").textContent = error ? fill(say.failed, { error: error.message }) : "";
  byId("fault").hidden = !error;
}

async function learn(first) {
  try {
    about = await (await ask("info")).json();
  } catch (error) {
    byId("about").textContent = error.status === 503 ? say.slow : "";
    if (error.status === 503) setTimeout(learn, 1000, true);
    else if (error.status !== 401 || !first) fault(error);  // nobody has asked yet
    return;
  }
  fault(null);
  const labels = about.labels ? `${say.colon}${about.labels.slice(0, 8).join(", ")}${about.labels.length > 8 ? ", …" : ""}` : "";
  byId("about").textContent = `${say[`task_${about.task}`]}${labels}`;
  byId("pairs").hidden = !about.reads_pairs;
  if (about.task === "question_answering") {
    byId("text-label").textContent = say.question;
    document.querySelector("label[for=pair]").textContent = say.context;
  }
  if (about.task === "generation") byId("text-label").textContent = say.prompt;
  if (about.task === "fill") byId("text-label").textContent = fill(say.masked, { mask: about.mask_token });
}

byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = byId("ask");
  button.disabled = true;
  button.textContent = say.asking;
  fault(null);
  byId("answer").hidden = byId("why").hidden = true;
  try {
    if (!about) await learn();
    if (about) await ANSWERS[about.task](byId("text").value, about.reads_pairs ? byId("pair").value : null);
  } catch (error) {
    fault(error);
  } finally {
    button.disabled = false;
    button.textContent = say.ask;
  }
});
byId("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("form").requestSubmit();
});
learn(true);
