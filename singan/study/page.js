
"use strict";
const study = JSON.parse(document.getElementById("study").textContent);
const at = id => document.getElementById(id);
const all = selector => [...document.querySelectorAll(selector)];
const wait = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));
const frame = () => new Promise(requestAnimationFrame); // in a page that is not looked at none comes
const CROSS = 700; // milliseconds for which a cross says where to look
// For each kind, what may be shown, in the order of the screen; and, in the same order, what the two answers say of it.
const SHOWN = {paired: [["generated", "real"], ["real", "generated"]], unpaired: [["real"], ["generated"]]};
const TASK = {
  paired: `Two pictures appear together for ${study.seconds} s. One is real, and the other was generated from it by a
    computer. Say which one was generated.`,
  unpaired: `A picture appears for ${study.seconds} s. It is either real, or was generated from a real one by a
    computer. Say which.`,
};
const QUESTION = {paired: "Which one was generated?", unpaired: "What was it?"};
const two = (wide, narrow) => [["span", wide, "wide"], ["span", narrow, "narrow"]];
const CHOICES = {
  paired: [two("Left", "Upper"), two("Right", "Lower")],
  unpaired: [[["span", "Real"]], [["span", "Generated"]]],
};
const NAMED = {real: "Real", generated: "Generated"};

// --- chance ---

function below(count) { // a whole number from 0, each as likely
  const box = new Uint32Array(1), most = 2 ** 32 - 2 ** 32 % count;
  do crypto.getRandomValues(box); while (box[0] >= most);
  return box[0] % count;
}

function shuffled(list) {
  const mixed = [...list];
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = below(last + 1);
    [mixed[last], mixed[other]] = [mixed[other], mixed[last]];
  }
  return mixed;
}

// Each item is shown once. How, is chosen at random among the ways that were given to the fewest items so far: by kind,
// then by what generated it, then by what is shown. Those of one photograph come together, so that each gets its share.
function deal(items) {
  const condition = way => [way.kind, way.version.method, way.version.start_scale, way.version.variation];
  const sorts = [
    way => [way.kind], condition, way => [...condition(way), way.shown], way => [way.kind, way.shown, null],
  ].map(sort => way => JSON.stringify(sort(way)));
  const given = new Map();
  const count = key => given.get(key) ?? 0;
  const photos = shuffled([...new Set(items.map(item => item.photo))]);
  const mixed = shuffled(items).sort((a, b) => photos.indexOf(a.photo) - photos.indexOf(b.photo));
  return mixed.map(item => {
    let ways = study.kinds.flatMap(kind => item.versions.flatMap(
      version => SHOWN[kind].map(shown => ({item: study.items.indexOf(item), kind, version, shown}))));
    for (const sort of sorts) {
      const fewest = Math.min(...ways.map(way => count(sort(way))));
      ways = ways.filter(way => count(sort(way)) === fewest);
    }
    const way = ways[below(ways.length)];
    sorts.forEach(sort => given.set(sort(way), count(sort(way)) + 1));
    return way;
  });
}

// --- the screen ---

function show(id) {
  all("section").forEach(section => { section.hidden = section.id !== id; });
  scrollTo(0, 0);
}

function fill(element, children) { // [tag, text, class]
  element.replaceChildren(...children.map(([tag, text, name]) => {
    const child = document.createElement(tag);
    child.textContent = text;
    if (name) child.className = name;
    return child;
  }));
}

function pressed(button) {
  button.hidden = false;
  button.focus({preventScroll: true});
  return new Promise(resolve => { button.onclick = resolve; });
}

// 0 or 1, by button or by key.
function chosen() {
  const buttons = all("#choices button");
  return new Promise(resolve => {
    const done = choice => {
      onkeydown = null;
      buttons.forEach(button => { button.disabled = true; });
      resolve(choice);
    };
    buttons.forEach((button, choice) => { button.disabled = false; button.onclick = () => done(choice); });
    onkeydown = event => {
      if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
      const choice = [["1", "ArrowLeft", "ArrowUp"], ["2", "ArrowRight", "ArrowDown"]].findIndex(
        keys => keys.includes(event.key));
      if (choice < 0) return;
      event.preventDefault();
      done(choice);
    };
  });
}

// The pictures of a trial, laid out and ready to be painted, and not yet to be seen.
async function prepare(trial) {
  const figures = all("#pictures figure");
  at("trial").classList.toggle("two", trial.kind === "paired");
  at("trial").classList.remove("asked");
  at("next").hidden = true;
  at("choices").hidden = false;
  fill(at("question"), []);
  CHOICES[trial.kind].forEach((children, choice) => {
    fill(all("#choices button")[choice], [...children, ["kbd", String(choice + 1), "wide"]]);
  });
  for (const [place, figure] of figures.entries()) {
    figure.hidden = place >= trial.shown.length;
    figure.lastElementChild.textContent = "";
    figure.firstElementChild.classList.remove("on");
    const image = figure.querySelector("img");
    if (!figure.hidden) image.src = study.pictures[trial.version[trial.shown[place]]];
  }
  await Promise.all(figures.filter(figure => !figure.hidden).map(figure => figure.querySelector("img").decode()));
}

// One trial, from the cross to the answer.
async function ask(trial) {
  await prepare(trial);
  await frame();
  await wait(CROSS);
  await frame();
  const frames = all(".frame"), start = performance.now();
  frames.forEach(element => element.classList.add("on"));
  await wait(1000 * study.seconds);
  frames.forEach(element => element.classList.remove("on"));
  const end = performance.now();
  at("trial").classList.add("asked");
  at("question").textContent = QUESTION[trial.kind];
  const answer = SHOWN[trial.kind][await chosen()];
  const {item, kind, shown, version: {method, model, start_scale, variation}} = trial;
  return {
    item, kind, method, model, start_scale, variation, shown, answer,
    shown_ms: Math.round(end - start), reaction_ms: Math.round(performance.now() - end),
  };
}

const right = answer => answer.shown[0] === answer.answer[0];

async function tell(trial, answer) { // what it was, after a trial for practice
  at("question").textContent = right(answer) ? "That is right." : "No, it was not.";
  all("#pictures figure").forEach((figure, place) => {
    figure.firstElementChild.classList.add("on");
    figure.lastElementChild.textContent = NAMED[trial.shown[place]] ?? "";
  });
  at("choices").hidden = true;
  await pressed(at("next"));
}

// --- the study ---

async function introduce(kind, practice, count, first) {
  at("task").textContent = TASK[kind];
  fill(at("keys"), [
    ["span", "Answer with the buttons"], ["span", ", or with the keys ", "keyed"], ["kbd", "1", "keyed"],
    ["span", " and ", "keyed"], ["kbd", "2", "keyed"], ["span", " or the arrows", "keyed"],
    ["span", ". A + shows where to look. There is no going back."],
  ]);
  const times = (number, word) => `${number} ${word}${number > 1 ? "s" : ""}`;
  const tried = practice ? `First comes practice, ${times(practice, "trial")} with the answer told. Then come ` : "There are ";
  at("length").textContent = `${tried}${times(count, "trial")} without. It takes about ${
    times(Math.ceil((practice + count) * (study.seconds + 3) / 60), "minute")}.`;
  at("intro").querySelector("h1").textContent = first ? "Real or generated?" : "And now another question";
  at("private").hidden = !first;
  show("intro");
  await pressed(at("start"));
  show("trial");
}

// For each kind, in any order, the trials for practice and those that count.
function blocks() {
  const practice = deal(study.items.filter(item => item.practice)), trials = deal(study.items.filter(item => !item.practice));
  return shuffled(study.kinds).map(kind => {
    // Shuffled once more: as they were dealt, one could be guessed from those before.
    const [tried, counted] = [practice, trials].map(list => shuffled(list.filter(trial => trial.kind === kind)));
    return {kind, tried, counted};
  }).filter(block => block.counted.length);
}

async function run() {
  const answers = [], parts = blocks();
  const count = parts.reduce((sum, block) => sum + block.counted.length, 0);
  for (const {kind, tried, counted} of parts) {
    await introduce(kind, tried.length, counted.length, kind === parts[0].kind);
    for (const [done, trial] of tried.entries()) {
      at("progress").textContent = `Practice ${done + 1} of ${tried.length}`;
      await tell(trial, await ask(trial));
    }
    for (const trial of counted) {
      at("progress").textContent = `${answers.length + 1} of ${count}`;
      answers.push(await ask(trial));
    }
  }
  return answers;
}

function finish(answers) {
  const {format_version, study: id, seconds, parts} = study;
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  const participant = [...bytes].map(byte => byte.toString(16).padStart(2, "0")).join("");
  const text = JSON.stringify({format_version, study: id, participant, seconds, parts, answers}, null, 1);
  at("score").textContent = `You were right ${answers.filter(right).length} times out of ${answers.length}; \
who only guesses is right about half the time.`;
  at("answers").value = text;
  at("answers").onfocus = () => at("answers").select();
  at("save").onclick = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], {type: "application/json"}));
    link.download = `answers-${participant}.json`;
    link.click();
    window.onbeforeunload = null;
  };
  at("credits").hidden = !study.credits.length;
  fill(at("credits").querySelector("ul"), study.credits.map(credit => ["li", credit]));
  show("end");
  at("save").focus({preventScroll: true});
}

window.onbeforeunload = event => { if (at("intro").hidden) event.preventDefault(); }; // answers would be lost
run().then(finish);
