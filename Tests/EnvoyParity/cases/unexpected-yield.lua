--> GET /
function envoy_on_request(handle) coroutine.yield() end
