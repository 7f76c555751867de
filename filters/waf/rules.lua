-- What the rules look for. Each is narrow on purpose: a rule that refuses honest requests is switched off, and protects
-- nobody. Expressions see texts that normalize.lua has decoded; case does not matter.
local everywhere = {"path", "query", "headers", "body"}
local input = {"query", "headers", "body"}

return {
  {name = "nul-byte", targets = {"path", "query"}, pattern = [=[\x00]=]},
  {name = "path-traversal", targets = {"path", "query", "body"},
    pattern = [=[(?:^|[/\\=:\n])\.\.[/\\]|/etc/(?:passwd|shadow)\b|\bwin\.ini\b|/proc/self/]=]},
  {name = "sql-injection", targets = input,
    pattern = [=[\bunion\s+(?:all\s+)?select\b|['"]\s*(?:or|and)\s+['"\d(].{0,40}?(?:=|like|--|#)]=]
      .. [=[|;\s*(?:drop|truncate|alter)\s+table\b|\b(?:sleep|pg_sleep|benchmark)\s*\(\s*['"\d]|\bwaitfor\s+delay\s*['"]]=]
      .. [=[|\binformation_schema\b|\bxp_cmdshell\b|\binto\s+outfile\b]=]},
  {name = "cross-site-scripting", targets = input,
    pattern = [=[<\s*(?:script|iframe|object|embed|svg|math)\b|\bon(?:error|load|click|mouseover|focus|toggle)\s*=]=]
      .. [=[|\bjavascript\s*:|<[^>]{0,200}\bsrcdoc\s*=]=]},
  {name = "command-injection", targets = input,
    pattern = [=[(?:;|\||`|\$\(|&&)\s*(?:cat|curl|wget|nc|bash|sh|powershell|cmd|python\d?|perl|rm|id|whoami)\b(?=[\s;|`)&]|$)]=]},
  {name = "expression-injection", targets = everywhere, pattern = [=[\$\{\s*(?:jndi|\$\{|lower:|upper:|env:|sys:)|\{\{\s*\d+\s*\*\s*\d+]=]},
  {name = "xml-entity", targets = {"body"}, pattern = [=[<!ENTITY\b|<!DOCTYPE\b[^>]{0,200}\b(?:SYSTEM|PUBLIC)\b]=]},
  {name = "server-files", targets = {"path"},
    pattern = [=[/\.(?:git|svn|hg|env|htaccess|htpasswd|aws|ssh)(?:/|$|\.)|/(?:wp-config\.php|id_rsa)\b]=]},
}
