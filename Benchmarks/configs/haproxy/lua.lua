-- The logic of lua/main.lua, in HAProxy's terms.
core.register_action("on_request", {"http-req"}, function(txn)
  local agent = txn.sf:req_hdr("user-agent")
  if agent == "" then agent = "none" end
  txn.http:req_set_header("x-lua", agent .. "-seen")
  if txn.sf:path() == "/blocked" then
    txn:done(txn:reply({status = 403, body = "no"}))
  end
end)

core.register_action("on_response", {"http-res"}, function(txn)
  txn.http:res_set_header("x-lua-resp", "yes")
end)
