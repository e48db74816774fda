-- Sends a body of as many bytes as the argument says, if any, and tells what came of it as one line of JSON.

function init(args)
    local len = tonumber(args[1])
    if len > 0 then
        wrk.method = "POST"
        wrk.body = string.rep("x", len)
    end
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '{"requests":%d,"micros":%d,"p99_micros":%d,' ..
        '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
        summary.requests, summary.duration, latency:percentile(99),
        errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
