-- What metrics make of odd arguments.
--> GET /
function envoy_on_request(handle)
  local stats = handle:stats()
  local counter, gauge, histogram = stats:counter("c"), stats:gauge("g"), stats:histogram("h")
  local function try(title, f, ...)
    local ok, message = pcall(f, ...)
    handle:logInfo(title .. " " .. tostring(ok) .. " " .. tostring(message))
  end
  try("gauge add", gauge.add, gauge, -1)
  try("gauge sub", gauge.sub, gauge, -1)
  try("gauge set", gauge.set, gauge, -1)
  try("gauge set text", gauge.set, gauge, "x")
  try("gauge set fraction", gauge.set, gauge, 2.7)
  handle:logInfo(tostring(gauge:value()))
  try("record", histogram.recordValue, histogram, -1)
  try("record nothing", histogram.recordValue, histogram)
  try("add nothing", counter.add, counter)
  try("add fraction", counter.add, counter, 1.9)
  handle:logInfo(tostring(counter:value()))
  try("no name", stats.counter, stats)
  for _, unit in ipairs({"ms", "milliseconds", "microseconds", "nanoseconds", "bytes", "unspecified"}) do
    try(unit, function() stats:histogram("h_" .. unit, unit):recordValue(1) end)
  end
  gauge:set(0)
  gauge:dec()
  handle:logInfo(tostring(gauge:value()))
  counter:logInfo("from a counter")
end
