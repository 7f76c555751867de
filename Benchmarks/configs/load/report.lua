-- wrk's side of a round: cycles through N paths, or posts a body of B bytes, when asked to (`-- N B`), and prints its
-- numbers as one line of JSON.
function init(arguments)
  local routes, body = tonumber(arguments[1] or "0"), tonumber(arguments[2] or "0")
  if body > 0 then
    wrk.method, wrk.body = "POST", string.rep("x", body)
  end
  if routes == 0 then return end
  -- A thousand paths at most, spread over all routes.
  local count = math.min(routes, 1000)
  local requests, turn = {}, 0
  for i = 1, count do
    requests[i] = wrk.format("GET", string.format("/service-%d/item", math.floor((i - 1) * routes / count)))
  end
  function request()
    turn = turn % count + 1
    return requests[turn]
  end
end

function done(summary, latency)
  local failed = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"p999":%d,"connect":%d,"read":%d,"write":%d,'
      .. '"timeout":%d,"status":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    failed.connect, failed.read, failed.write, failed.timeout, failed.status))
end
