-- A script of wrk: each line of a file is the body of one request, and no line is sent twice.
-- Arguments: path of the route, the file, rows of each request.
-- Every answer is checked: its status, and that it holds an answer to every row and no error.
-- The last line printed is a JSON object.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  path, rows = arguments[1], tonumber(arguments[3])
  file = io.open(arguments[2])
  headers = {["Content-Type"] = "application/json"}
  wrong, shown = 0, ""
end

local function fault(what)
  if wrong == 0 then shown = what end
  wrong = wrong + 1
end

function request()
  local body = file:read("*l")
  if body == nil then fault("the file has too few lines") end
  return wrk.format("POST", path, headers, body or "")
end

local function count(text, pattern)
  return select(2, text:gsub(pattern, ""))
end

function response(status, _, body)
  local answered, whole = count(body, '"pl_peak_nm":'), count(body, '"error": ?""')
  if status ~= 200 or answered ~= rows or whole ~= rows then
    fault(status .. ", " .. answered .. " of " .. rows .. " rows: " .. body:sub(1, 300))
  end
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout
  for _, thread in ipairs(threads) do
    failed = failed + thread:get("wrong")
    io.stderr:write(thread:get("shown"), "\n")
  end
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_ms": %.4f, "p99_ms": %.4f, "max_ms": %.4f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3, failed))
end
