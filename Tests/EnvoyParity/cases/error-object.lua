--> GET /
function envoy_on_request(handle) error({code = 5}) end
