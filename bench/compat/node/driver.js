'use strict'
// Drives the written scenarios of the report card (../README.md) with kafkajs:
//   node driver.js NODE_MODULES --bootstrap HOST:PORT --scenario NAME --prefix PREFIX --seed N
// The steps are here; what they need of the library is in library.js.

const fs = require('fs')
const path = require('path')
const { load } = require('./library.js')

const FIRST_TIME = 1700000000000
const EXTRA_WAIT = 700 // how long a record that must not come is waited for
const SETTLE_TIME = 10000
const SCENARIO_TIME = 60000

/** Absent means that the library has no such feature. */
class Absent extends Error {}

function emit(line) {
  fs.writeSync(1, JSON.stringify(line) + '\n')
}

function check(ok, text) {
  if (!ok) throw new Error(text)
}

function range(n, f) {
  return Array.from({ length: n }, (_, i) => f(i))
}

function show(b) {
  return b === null || b === undefined ? 'null' : JSON.stringify(b.toString().slice(0, 40))
}

function equal(got, want) {
  if (want === null || want === undefined) return got === null || got === undefined
  return got !== null && got !== undefined && Buffer.from(want).equals(Buffer.from(got))
}

/** same compares records read with those sent; offsets from first on, if first is a number. */
function same(got, sent, first) {
  check(got.length === sent.length, `read ${got.length} records, want ${sent.length}`)
  got.forEach((g, i) => {
    check(first === undefined || g.offset === first + i, `record ${i} has offset ${g.offset}, want ${first + i}`)
    check(equal(g.key, sent[i].key) && equal(g.value, sent[i].value),
      `record ${i} is ${show(g.key)}=${show(g.value)}, want ${show(sent[i].key)}=${show(sent[i].value)}`)
  })
}

/** refused awaits an error of one of some types. */
async function refused(what, types, call) {
  try {
    await call()
  } catch (error) {
    for (let e = error; e; e = e.cause || e.originalError) {
      if (types.includes(e.type) || (e.errors || []).some(each => types.includes(each.type))) return
    }
    throw new Error(`${what}: ${error}`)
  }
  throw new Error(`${what} was taken`)
}

async function settles(what, ask) {
  for (const late = Date.now() + SETTLE_TIME; !(await ask()); ) {
    check(Date.now() < late, `not within ${SETTLE_TIME} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

const steps = {
  async codecs(c, name) {
    const value = 'compress me '.repeat(100)
    for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
      const topic = name('codecs', codec)
      await c.create(topic, 1)
      const sent = range(200, i => ({ key: `k${i}`, value: `v${i}-${value}`, partition: 0 }))
      await c.produce(topic, sent, { codec })
      same(await c.read(topic, 200), sent, 0)
    }
  },

  async idempotent(c, name) {
    const topic = name('idempotent')
    await c.create(topic, 1)
    const sent = range(500, i => ({ value: `i${i}`, partition: 0 }))
    await c.produce(topic, sent, { idempotent: true, batch: 5 })
    same(await c.read(topic, 500), sent, 0)
  },

  async transactions(c, name) {
    const topic = name('transactions')
    await c.create(topic, 2)
    const producer = await c.transact(topic)
    const transact = async (letter, offset, commit) => {
      await producer.begin()
      await producer.send(topic, range(50, i => ({ value: `${letter}${i}`, partition: i % 2 })))
      if (offset !== null) await producer.offset(topic, topic, 0, offset)
      await (commit ? producer.commit() : producer.abort())
    }
    await transact('a', null, true)
    await transact('b', 3, false)
    await transact('c', 7, true)
    for (const [committed, letters] of [[true, ['a', 'c']], [false, ['a', 'b', 'c']]]) {
      for (const partition of [0, 1]) {
        const sent = letters.flatMap(s => range(25, i => ({ value: `${s}${2 * i + partition}` })))
        same(await c.read(topic, sent.length + 1, { partition, committed, wait: EXTRA_WAIT }), sent)
      }
    }
    const offset = await c.committed(topic, topic, 0)
    check(offset === 7, `the committed offset is ${offset}, want 7`)
    const second = await c.transact(topic)
    await refused('a fenced producer', ['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'],
      () => transact('z', null, true))
    await second.close()
  },

  async time(c, name) {
    const topic = name('time')
    await c.create(topic, 1, { 'retention.ms': '-1' })
    const sent = range(100, i => ({ value: `t${i}`, partition: 0, timestamp: String(FIRST_TIME + 1000 * i) }))
    await c.produce(topic, sent)
    for (const [at, want] of [[50500, [51]], [0, [0]], [1000000, [-1, 100]]]) {
      const got = await c.offsetFor(topic, 0, FIRST_TIME + at)
      check(want.includes(got), `offset for timestamp ${FIRST_TIME + at} is ${got}, want ${want}`)
    }
    const got = await c.read(topic, 49, { start: 51 })
    same(got, sent.slice(51), 51)
    check(got[0].timestamp === FIRST_TIME + 51000, `record 51 has timestamp ${got[0].timestamp}`)
  },

  async admin(c, name, without) {
    const topic = name('admin')
    const settings = { 'retention.ms': '3600000', 'cleanup.policy': 'delete' }
    await c.create(topic, 2, settings)
    await refused('create again', ['TOPIC_ALREADY_EXISTS'], () => c.create(topic, 2, settings))
    await settles('the topic is listed', async () => (await c.topics()).includes(topic))
    await settles('2 partitions', async () => (await c.partitions(topic)) === '2,2')
    const described = async retention => {
      const got = await c.settings(topic)
      return got['retention.ms'] === retention && got['cleanup.policy'] === 'delete'
    }
    check(await described('3600000'), 'the settings are not those of the creation')
    await c.alter(topic, { ...settings, 'retention.ms': '7200000' })
    await settles('the altered setting', () => described('7200000'))
    await c.addPartitions(topic, 4)
    await settles('4 partitions', async () => (await c.partitions(topic)) === '4,4')
    await c.produce(topic, range(10, i => ({ value: `d${i}`, partition: 0 })))
    await c.deleteRecords(topic, 0, 5)
    const { low } = await c.offsets(topic, 0)
    check(low === 5, `the earliest offset is ${low}, want 5`)
    await steps.adminGroup(c, topic)
    await c.deleteTopic(topic)
    await settles('the topic is gone', async () => !(await c.topics()).includes(topic))
    without.push('incremental change of settings')
  },

  async adminGroup(c, group) {
    await c.commit(group, group, 0, 6)
    await settles('the group is listed', async () => (await c.groups()).includes(group))
    const state = await c.describe(group)
    check(state === 'Empty 0', `the group is ${state}, want Empty 0`)
    const offset = await c.committed(group, group, 0)
    check(offset === 6, `the committed offset is ${offset}, want 6`)
    await c.deleteGroup(group)
    await settles('the group is gone', async () => !(await c.groups()).includes(group))
  },

  async large(c, name) {
    const topic = name('large')
    await c.create(topic, 1, { 'max.message.bytes': '2097152' })
    const pattern = (n, size) => Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i + n) % 251))
    const sent = range(3, i => ({ value: pattern(i, 1 << 20), partition: 0 }))
    await c.produce(topic, sent, { batch: 1 })
    same(await c.read(topic, 3, { fetchBytes: 65536 }), sent, 0)
    await refused('a record of 3 MiB', ['MESSAGE_TOO_LARGE'],
      () => c.produce(topic, [{ value: pattern(0, 3 << 20), partition: 0 }]))
    const { high } = await c.offsets(topic, 0)
    check(high === 3, `the end offset is ${high}, want 3`)
  },

  async headers(c, name, without) {
    const topic = name('headers')
    await c.create(topic, 1)
    const headers = { a: ['1', '2'], c: '', d: Buffer.from([0, 255]) }
    without.push('null as a header\'s value')
    await c.produce(topic, [{ value: 'h', partition: 0, headers }])
    const [got] = await c.read(topic, 1)
    const list = h => Object.entries(h).flatMap(([k, v]) => (Array.isArray(v) ? v : [v]).map(each => [k, each]))
    const [want, have] = [list(headers), list(got.headers)]
    check(want.length === have.length && want.every(([k, v], i) => k === have[i][0] && equal(have[i][1], v)),
      `headers ${have.map(([k, v]) => `${k}=${show(v)}`)}`)
  },

  async nulls(c, name) {
    const topic = name('nulls')
    await c.create(topic, 1)
    const sent = [['v', null], [null, 'k'], [null, null], ['', '']]
      .map(([value, key]) => ({ key, value, partition: 0 }))
    await c.produce(topic, sent)
    same(await c.read(topic, 4), sent, 0)
  },

  async partitions(c, name) {
    const [topic, count] = ['compat.partitions', 10000]
    const found = await c.partitions(topic)
    check(found === `${count},${count}`, `partitions and leaders: ${found}, want ${count}`)
    const before = await c.offsets(topic, count - 1)
    const offset = await c.produce(topic, [{ value: name(), partition: count - 1 }])
    const after = await c.offsets(topic, count - 1)
    check(offset >= before.high && after.high > offset,
      `the end offset was ${before.high} and is ${after.high}, the record's ${offset}`)
  },

  async sealed(c) {
    const [topic, count] = ['compat.sealed', 4000]
    const got = await c.read(topic, count)
    same(got, range(count, i => ({ value: String(i).padStart(6, '0') + 'y'.repeat(500) })), 0)
    got.forEach((g, i) => check(g.timestamp === FIRST_TIME + 1000 * i, `record ${i} has timestamp ${g.timestamp}`))
    for (const offset of [1500, 3500]) {
      const at = await c.offsetFor(topic, 0, FIRST_TIME + 1000 * offset)
      check(at === offset, `offset for the time of record ${offset} is ${at}`)
    }
  },
}

const scenarios = Object.keys(steps).filter(name => name !== 'adminGroup')

async function walk(client, scenario, prefix, version) {
  const begun = Date.now()
  const without = []
  const name = (...parts) => [prefix, ...parts].join('.')
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`did not end within ${SCENARIO_TIME} ms`)), SCENARIO_TIME).unref()
  })
  let [result, detail] = ['pass', '']
  try {
    await Promise.race([steps[scenario](client, name, without), late])
    detail = without.map(each => `no ${each}`).join(', ')
  } catch (error) {
    result = error instanceof Absent ? 'absent' : 'fail'
    detail = error.message
  }
  emit({ client: 'kafkajs', version, scenario, result, detail, ms: Date.now() - begun })
}

async function member(client, args) {
  if (args.protocol === 'consumer') throw new Absent('consumer protocol (KIP-848)')
  if (args.assignor === 'cooperative') throw new Absent('cooperative rebalancing')
  if (args.instance) throw new Absent('static membership')
  const leave = new Promise(resolve => process.stdin.on('end', resolve).resume())
  const events = {
    own: partitions => emit({ event: 'assigned', partitions: [...partitions].sort((a, b) => a - b) }),
    record: (partition, offset, value) => emit({ event: 'record', partition, offset, value }),
  }
  await client.member(args, events, leave)
  emit({ event: 'left' })
}

async function main() {
  const [modules, ...rest] = process.argv.slice(2)
  const args = { assignor: 'range', protocol: 'classic', prefix: `compat-${Date.now()}`, scenario: 'all' }
  for (let i = 0; i < rest.length; i += 2) args[rest[i].replace(/^--/, '')] = rest[i + 1]
  const client = await load(path.resolve(modules), args.bootstrap)
  if (args.scenario === 'member') {
    try {
      await member(client, args)
    } catch (error) {
      emit({ event: error instanceof Absent ? 'absent' : 'error', detail: error.message })
      return error instanceof Absent ? 0 : 1
    }
    return 0
  }
  const { version } = JSON.parse(fs.readFileSync(path.join(modules, 'kafkajs', 'package.json')))
  for (const each of args.scenario === 'all' ? scenarios : [args.scenario]) {
    await walk(client, each, args.prefix, version)
  }
  return 0
}

main().then(code => process.exit(code), error => {
  console.error(error)
  process.exit(1)
})
