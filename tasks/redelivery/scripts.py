"""The steps of a delivery, each atomic on the server and timed by its clock, so that skewed workers do no harm.

                            lanes
                              |
    queue --BLMOVE--> taken --TAKE--> leased --ACK--> gone
      ^                 |               |
      +-----SWEEP-------+---HAND_BACK---+

At every moment a message is in exactly one of these places, and every place but `gone` is looked after: `taken` by the
consumer's registration, `leased` by the lease. The only step that waits, BLMOVE, cannot be a script, hence `taken`.

A worker waits for one list only, so the queue tells of every message. What is in a lane is told of by a ticket, an
empty string; which message it stands for is decided when it is taken. Hence a ticket may be lost or doubled without
harm: one too many finds no message, one too few is made good by SWEEP. One message to one ticket is the rule all the
same: the queue's length is the backlog.

A script that fails is not undone. So what can fail, on a key that somebody made of another type, comes before a message
leaves its place, and a message comes to its next place before it leaves the last one.
"""

from producer.keys import REVOKED

_NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
"""

# A server whose memory is full refuses commands that may need more, BLMOVE and ZADD among them, unless the script has
# written before. What follows this serves to empty the server again, and must go on. KEYS[…] is a sorted set.
ALSO_WHEN_FULL = "redis.call('ZREM', KEYS[{}], '')\n"

# So often the bulk level is served first, so that it never starves.
BULK_EVERY = 8
# What Celery's own API sends has no lane. Where there are any it gets one, of this producer.
PLAIN_PRODUCER = "celery"
# So many revoked messages are dropped in one step at most: others wait for the server meanwhile. What is left over is
# delivered, and dropped by the worker.
DROPPED_AT_ONCE = 200

# The next message's tag and text, nil when no lane holds one, and how many before it were dropped since nobody wants
# their answers any more: where the server of the replies is another one, none. An entry is its tag, a space and the
# message. The lane goes to the end of its ring while something is left in it. Rings name producers and not keys: who
# may write into a ring must not thereby choose what is read.
#
# No text in JSON holds a bare quotation mark, so what looks like the field with the call's id is it.
#
# What producers may write is not taken for granted.
CHOOSE = f"""
local function is_revoked(entry)
  local _, last = string.find(entry, '"correlation_id":"', 1, true)
  local call = last and string.match(entry, '^[^"]+', last + 1)
  return call and redis.call('ZSCORE', '{REVOKED}', call)
end

local function choose(interactive, bulk, turns)
  local dropped = 0
  local most = redis.call('TYPE', '{REVOKED}').ok == 'zset' and {DROPPED_AT_ONCE} or 0
  local rings = {{interactive, bulk}}
  if redis.call('EXISTS', interactive, bulk) == 2 and redis.call('INCR', turns) % {BULK_EVERY} == 0 then
    rings = {{bulk, interactive}}
  end
  for _, ring in ipairs(rings) do
    local producer = redis.call('LMOVE', ring, ring, 'LEFT', 'RIGHT')
    while producer do
      local lane = ring .. ':' .. producer
      local entry = redis.pcall('RPOP', lane)
      local is_list = type(entry) ~= 'table'
      if not is_list then entry = nil end
      while entry and dropped < most and is_revoked(entry) do
        dropped = dropped + 1
        entry = redis.call('RPOP', lane)
      end
      if not is_list or redis.call('EXISTS', lane) == 0 then redis.call('RPOP', ring) end
      if entry then
        local tag, start = string.match(entry, '^([%w%-]+) ()')
        if tag then return tag, string.sub(entry, start), dropped end
        return redis.sha1hex(entry), entry, dropped
      end
      producer = redis.call('LMOVE', ring, ring, 'LEFT', 'RIGHT')
    end
  end
  return nil, nil, dropped
end
"""

# KEYS consumers; ARGV taken. A consumer registers before its first BLMOVE and goes on doing so while it lives.
REGISTER = _NOW + ALSO_WHEN_FULL.format(1) + "return redis.call('ZADD', KEYS[1], now, ARGV[1])"

# KEYS taken, leased, leases, losses, queue, interactive, bulk, turns; ARGV tag, or "" for a ticket. Leases a message
# and returns how often its lease ended before, and for a ticket the message's tag and text, and how many were dropped
# before it; false when what was taken is not there any more, because this consumer was silent for so long that it was
# given to others, or when no message waits for a ticket. Where that is so since all were dropped, only their number.
#
# What has a place among the losses was leased before: it has waited for its turn. Any other whole message lines up in
# a lane of its own, if there are lanes, and is then a ticket like any other. What else is in the list are entries
# whose BLMOVE answer was lost with a connection: they go back. A tag stands in its message.
TAKE = (
    _NOW
    + CHOOSE
    + f"""
local taken, queue, tag = KEYS[1], KEYS[5], ARGV[1]
redis.call('HLEN', KEYS[2])
redis.call('ZCARD', KEYS[3])
local losses = redis.call('HGET', KEYS[4], tag)
if not losses then
  redis.call('LLEN', KEYS[6])
  redis.call('LLEN', KEYS[7])
end
local entry
repeat
  entry = redis.call('RPOP', taken)
  if not entry then return false end
  local is_ours = tag == '' and entry == '' or tag ~= '' and string.find(entry, tag, 1, true)
  if not is_ours then
    redis.call('RPUSH', taken, entry)
    redis.call('LMOVE', taken, queue, 'RIGHT', 'RIGHT')
  end
until is_ours
while redis.call('LMOVE', taken, queue, 'RIGHT', 'RIGHT') do end
if tag ~= '' then
  local lane = KEYS[7] .. ':{PLAIN_PRODUCER}'
  local is_new = redis.call('EXISTS', lane) == 0
  if losses or redis.call('EXISTS', KEYS[6], KEYS[7]) == 0
    or type(redis.pcall('LPUSH', lane, tag .. ' ' .. entry)) == 'table' then
    redis.call('HSET', KEYS[2], tag, entry)
    redis.call('ZADD', KEYS[3], now, tag)
    return {{tonumber(losses or 0)}}
  end
  if is_new then redis.call('RPUSH', KEYS[7], '{PLAIN_PRODUCER}') end
end
local chosen, message, dropped = choose(KEYS[6], KEYS[7], KEYS[8])
-- Their tickets go, too. Without a message that is one less: the one that was taken.
local spare = chosen and dropped or dropped - 1
if spare > 0 then redis.call('LREM', queue, spare, '') end
if not chosen then return dropped > 0 and {{false, false, false, dropped}} end
redis.call('HSET', KEYS[2], chosen, message)
redis.call('ZADD', KEYS[3], now, chosen)
return {{0, chosen, message, dropped}}
"""
)

# KEYS taken, queue, leases. Puts back what was taken and not leased, and returns how many messages that were.
UNTAKE = (
    ALSO_WHEN_FULL.format(3)
    + """
local count = 0
while redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'RIGHT') do count = count + 1 end
return count
"""
)

# Ends a lease, and returns whether somebody held it. Also right where the lease ended and another worker holds it now:
# its result is stored. What is back in the queue stays there and is run again.
ACKNOWLEDGE = """
local function acknowledge(leased, leases, losses, tag)
  redis.call('ZREM', leases, tag)
  if redis.call('HDEL', leased, tag) == 0 then return 0 end
  redis.call('HDEL', losses, tag)
  return 1
end
"""

# KEYS leased, leases, losses; ARGV tag.
ACK = ACKNOWLEDGE + "return acknowledge(KEYS[1], KEYS[2], KEYS[3], ARGV[1])"

# KEYS leased, leases, losses, queue; ARGV tag, losses. Puts it where it is taken next, and returns whether that was
# done. Not for who lost the lease meanwhile: it is known by the losses that TAKE had told it, which have grown since.
# That it was leased before is remembered by a place among the losses.
HAND_BACK = (
    ALSO_WHEN_FULL.format(2)
    + """
local message = redis.call('HGET', KEYS[1], ARGV[1])
if not message or (redis.call('HGET', KEYS[3], ARGV[1]) or '0') ~= ARGV[2] then return 0 end
redis.call('RPUSH', KEYS[4], message)
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HSETNX', KEYS[3], ARGV[1], 0)
return 1
"""
)

# KEYS queue, taken, leases. What BLMOVE does, without waiting, on a server that refuses it.
POP = ALSO_WHEN_FULL.format(3) + "return redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'LEFT')"

# KEYS leases, consumers; ARGV taken, tags… Renews only leases that are there: an acknowledged delivery stays gone.
RENEW = (
    _NOW
    + ALSO_WHEN_FULL.format(1)
    + """
redis.call('ZADD', KEYS[2], now, ARGV[1])
for index = 2, #ARGV do redis.call('ZADD', KEYS[1], 'XX', now, ARGV[index]) end
return #ARGV - 1
"""
)

# KEYS leased, leases, losses, consumers, queue, interactive, bulk; ARGV lease_ms, forget_ms, limit. Returns how many
# deliveries' leases had ended, how many entries silent consumers had taken and not leased, and how many tickets were
# missing. Nothing that was not leased was run, so it does not count as a loss. A silent consumer stays registered for
# long after its list is empty: stopped in the middle of a BLMOVE and continued, it may still be given a message.
#
# Tickets are missing where something else than a worker of this version took one, or somebody deleted the queue. They
# can be counted when the queue is empty: what is in the lanes then, less the tickets that consumers are just taking.
SWEEP = (
    _NOW
    + ALSO_WHEN_FULL.format(2)
    + """
redis.call('LLEN', KEYS[5])
local ended = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[1], 'LIMIT', 0, ARGV[3])
for _, tag in ipairs(ended) do
  local message = redis.call('HGET', KEYS[1], tag)
  if message then
    redis.call('HINCRBY', KEYS[3], tag, 1)
    redis.call('RPUSH', KEYS[5], message)
  end
  redis.call('ZREM', KEYS[2], tag)
  redis.call('HDEL', KEYS[1], tag)
end
local rescued = 0
for _, taken in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now - ARGV[1])) do
  while redis.call('LMOVE', taken, KEYS[5], 'RIGHT', 'RIGHT') do rescued = rescued + 1 end
end
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - ARGV[2])
local missing = 0
if redis.call('EXISTS', KEYS[5]) == 0 and redis.call('EXISTS', KEYS[6], KEYS[7]) > 0 then
  for ring = 6, 7 do
    for _, producer in ipairs(redis.call('LRANGE', KEYS[ring], 0, -1)) do
      local waiting = redis.pcall('LLEN', KEYS[ring] .. ':' .. producer)
      missing = missing + (tonumber(waiting) or 0)
    end
  end
  for _, taken in ipairs(redis.call('ZRANGE', KEYS[4], 0, -1)) do
    for _, entry in ipairs(redis.call('LRANGE', taken, 0, -1)) do
      if entry == '' then missing = missing - 1 end
    end
  end
  for _ = 1, missing do redis.call('LPUSH', KEYS[5], '') end
end
return {#ended, rescued, math.max(missing, 0)}
"""
)

# KEYS queue, interactive, bulk, turns. Removes all that waits, and returns how much that was.
PURGE = """
local count = redis.call('LLEN', KEYS[1])
for ring = 2, 3 do
  for _, producer in ipairs(redis.call('LRANGE', KEYS[ring], 0, -1)) do
    redis.call('UNLINK', KEYS[ring] .. ':' .. producer)
  end
end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
return count
"""
