// Ask a prediction service from JavaScript (Node 18 or a browser): node predict.mjs [ADDRESS [KEY]]
const [url = "http://127.0.0.1:8000", key = "none"] = process.argv.slice(2);

const reply = await fetch(`${url}/v1/predict`, {
  method: "POST",
  headers: { "Content-Type": "application/json", Authorization: `Bearer ${key}` },
  body: JSON.stringify({ rows: [{ core: "CsPbBr3", shell: "SiO2" }], stressors: ["water"] }),
});
const body = await reply.json();
if (!reply.ok) throw new Error(`${body.status}: ${body.detail}`);
for (const answer of body.answers) {
  console.log(answer.error || `PL ${answer.pl_peak_nm} nm`, `by model ${body.model.id}`);
}
