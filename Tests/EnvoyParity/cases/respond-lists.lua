-- Several values of one field.
--> GET /
function envoy_on_request(handle)
  handle:respond({[":status"] = "200", ["set-cookie"] = {"a=1", "b=2"}, ["content-type"] = "text/html"}, "<b>hi</b>")
end
