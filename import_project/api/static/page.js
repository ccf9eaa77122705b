// The page of the front desk: signing in, handing in, watching, reading what was wrong. Reviewing is in review.js.
import { showReview } from "/static/review.js";

export const by = (id) => document.getElementById(id);
let me = null, chosen = null, issuesFrom = 0, oldest = null;
const jobs = new Map(), streams = new Map();

export async function ask(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { "x-desk": "page", ...options.headers } });
  const kind = answer.headers.get("content-type") || "";
  const told = kind.includes("json") && answer.status !== 204 ? await answer.json() : null;
  if (answer.status === 401) { signedOut(); }
  if (!answer.ok) { throw new Error(told ? told.error + (told.do ? ` (${told.do})` : "") : `the desk answered ${answer.status}`); }
  return told;
}

export function send(path, body) {
  return ask(path, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } });
}

export function say(text) { by("problem").textContent = ""; by("said").textContent = text; }
export function complain(error) { by("problem").textContent = error.message; }

export function cell(row, text, className = "") {
  const made = row.insertCell();
  made.textContent = text ?? "";
  if (className) { made.className = className; }
  return made;
}

export function button(text, act, className = "plain") {
  const made = document.createElement("button");
  made.type = "button"; made.textContent = text; made.className = className;
  made.addEventListener("click", () => { made.disabled = true; act().catch(complain).finally(() => { made.disabled = false; }); });
  return made;
}

const number = (n) => Number(n).toLocaleString();
const moment = (text) => text ? new Date(text).toLocaleString() : "";

function signedOut() {
  for (const stream of streams.values()) { stream.close(); }
  streams.clear(); jobs.clear(); me = null;
  by("sign-in").hidden = false;
  for (const id of ["files", "review", "tabs", "sign-out"]) { by(id).hidden = true; }
  by("who").textContent = "";
  by("token").focus();
}

async function signedIn() {
  me = await ask("/me");
  by("sign-in").hidden = true;
  for (const id of ["tabs", "sign-out"]) { by(id).hidden = false; }
  by("tab-review").hidden = me.role === "upload";
  by("who").textContent = `${me.name}, ${me.workspace}`;
  by("feed").replaceChildren(...me.feeds.map((f) => new Option(f.description ? `${f.feed}: ${f.description}` : f.feed, f.feed)));
  chooseFeed(); open("files");
  jobs.clear(); by("jobs").replaceChildren();
  await older();
}

function chooseFeed() {
  const feed = me.feeds.find((f) => f.feed === by("feed").value);
  const kinds = feed ? feed.extensions : [];
  by("file").accept = kinds.join(",");
  by("takes").textContent = kinds.length ? `It takes ${kinds.join(", ")}, at most ${number(me.most_bytes)} bytes.` : "";
}

function open(name) {
  for (const tab of ["files", "review"]) {
    by(tab).hidden = tab !== name;
    by(`tab-${tab}`).setAttribute("aria-selected", String(tab === name));
    by(`tab-${tab}`).tabIndex = tab === name ? 0 : -1;
  }
  if (name === "review") { showReview().catch(complain); }
}

async function older() {
  const told = await ask(`/jobs?limit=30${oldest ? `&before=${oldest}` : ""}`);
  for (const job of told.jobs) { show(job, false); }
  oldest = told.next;
  by("more").hidden = !told.next;
  by("no-jobs").hidden = jobs.size > 0;
}

function show(job, first) {
  const known = jobs.get(job.job_id);
  const row = known ? known.row : by("jobs").insertRow(first ? 0 : -1);
  jobs.set(job.job_id, { job, row });
  by("no-jobs").hidden = true;
  row.replaceChildren();
  row.className = chosen === job.job_id ? "chosen" : "";
  cell(row, job.file); cell(row, job.feed); cell(row, job.status, job.status);
  const bar = document.createElement("progress");
  bar.max = 100; bar.value = job.status === "completed" ? 100 : job.progress_percentage;
  bar.setAttribute("aria-label", `${job.file}: ${bar.value} percent`);
  const far = cell(row, "");
  far.append(bar, ` ${Math.round(bar.value)} %`);
  cell(row, number(job.total_rows), "n"); cell(row, number(job.quarantined_rows), "n"); cell(row, moment(job.created_at));
  const what = button("Open", () => choose(job.job_id));
  what.setAttribute("aria-label", `Open ${job.file}`);
  cell(row, "").append(what);
  if (["pending", "running"].includes(job.status)) { follow(job.job_id); }
  if (chosen === job.job_id) { detail(job); }
}

function follow(id) {
  if (streams.has(id)) { return; }
  const stream = new EventSource(`/jobs/${id}/events`);
  streams.set(id, stream);
  stream.addEventListener("job", (event) => {
    const job = JSON.parse(event.data);
    show(job, false);
    if (!["pending", "running"].includes(job.status)) {
      stream.close(); streams.delete(id);
      say(`${job.file}: ${job.status}, ${job.total_rows} rows, ${job.quarantined_rows} set aside`);
      if (chosen === id) { readIssues(true).catch(complain); }
    }
  });
}

async function choose(id) {
  const before = jobs.get(chosen);
  chosen = id;
  if (before) { before.row.className = ""; }
  const job = await ask(`/jobs/${id}`);
  show(job, false);
  by("job").hidden = false;
  await readIssues(true);
  by("job").focus();
}

function detail(job) {
  by("job-title").textContent = `${job.file}: ${job.status}`;
  const sums = Object.entries(job.sums).map(([currency, sum]) => `${sum} ${currency}`).join(", ");
  const counts = [`${number(job.total_rows)} rows`, `${number(job.accepted_rows)} accepted`, `${number(job.posted_rows)} posted`,
    `${number(job.quarantined_rows)} set aside`];
  if (job.matched !== null) { counts.push(`${number(job.matched)} matched`, `${number(job.unmatched)} unmatched`); }
  if (sums) { counts.push(sums); }
  if (job.seconds && job.seconds.whole) { counts.push(`${job.seconds.whole} s, of which ${job.seconds.outside} s outside of its steps`); }
  by("job-message").textContent = counts.join(", ") + (job.message ? `. ${job.message}` : "");
  const actions = [];
  if (["pending", "running"].includes(job.status)) {
    actions.push(button("Take it back", async () => { show(await ask(`/jobs/${job.job_id}/cancel`, { method: "POST" }), false); }));
  }
  if (job.quarantined_rows > 0) {
    const link = document.createElement("a");
    link.href = `/jobs/${job.job_id}/quarantine.csv`; link.textContent = "Download the rows set aside";
    actions.push(link);
  }
  by("job-actions").replaceChildren(...actions);
  const feed = me.feeds.find((f) => f.feed === job.feed);
  by("correct").hidden = !(job.status === "completed" && job.quarantined_rows > 0 && feed && feed.kind === "rows");
}

async function readIssues(fresh) {
  if (fresh) { issuesFrom = 0; by("issues").replaceChildren(); }
  const id = chosen;
  const told = await ask(`/jobs/${id}/issues?offset=${issuesFrom}&limit=100`);
  if (id !== chosen) { return; }
  if (fresh) { by("issues").replaceChildren(); }
  for (const issue of told.issues) {
    const row = by("issues").insertRow();
    cell(row, issue.row_number ?? "file", "n"); cell(row, issue.severity, issue.severity); cell(row, issue.issue_type);
    cell(row, issue.column); cell(row, issue.value); cell(row, issue.message);
  }
  issuesFrom = told.next_offset;
  by("more-issues").hidden = told.next_offset === null;
  by("no-issues").hidden = told.total > 0;
}

async function handIn(files) {
  for (const file of files) {
    const form = new FormData();
    form.append("feed", by("feed").value);
    form.append("file", file);
    say(`${file.name} is being sent`);
    const job = await ask("/jobs/ingest", { method: "POST", body: form });
    say(`${job.file} was handed in`);
    show(job, true);
  }
}

by("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  send("/session", { token: by("token").value }).then(() => { by("token").value = ""; say("signed in"); return signedIn(); }).catch(complain);
});
by("sign-out").addEventListener("click", () => ask("/session", { method: "DELETE" }).then(signedOut).catch(complain));
by("feed").addEventListener("change", chooseFeed);
by("hand-in").addEventListener("submit", (event) => {
  event.preventDefault();
  handIn([...by("file").files]).then(() => { by("file").value = ""; }).catch(complain);
});
by("correct").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData();
  form.append("file", by("sheet").files[0]);
  ask(`/jobs/${chosen}/corrections`, { method: "POST", body: form }).then((told) => {
    by("sheet").value = "";
    say(`${told.replayed} rows were taken, ${told.still_quarantined} are still set aside`);
    show(told.job, false);
    return readIssues(true);
  }).catch(complain);
});
by("more").addEventListener("click", () => older().catch(complain));
by("more-issues").addEventListener("click", () => readIssues(false).catch(complain));
for (const name of ["files", "review"]) { by(`tab-${name}`).addEventListener("click", () => open(name)); }
by("tabs").addEventListener("keydown", (event) => {
  if (!["ArrowLeft", "ArrowRight"].includes(event.key) || by("tab-review").hidden) { return; }
  const next = by("files").hidden ? "files" : "review";
  open(next); by(`tab-${next}`).focus();
});
const drop = by("drop");
for (const kind of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.toggle("over", kind === "dragover"); });
}
drop.addEventListener("drop", (event) => handIn([...event.dataTransfer.files]).catch(complain));

fetch("/me").then((answer) => answer.ok ? signedIn() : signedOut()).catch(complain);
