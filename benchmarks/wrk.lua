-- Posts bodies in turn, and prints what came back as a line of JSON.
local requests = {}
local turn = 0

function init(paths)
  for index = 1, #paths do
    local file = assert(io.open(paths[index], "rb"))
    local headers = {["Content-Type"] = "application/json"}
    requests[index] = wrk.format("POST", nil, headers, file:read("*a"))
    file:close()
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout
  ))
end
