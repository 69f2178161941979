'use strict'
// What the driver does with kafkajs (https://kafka.js.org): each function translates one step. The
// library reads by groups only, so that every reading is a group of its own.

const HEARTBEAT = 500
const SESSION = 6000
const REBALANCE = 10000
const READ_WAIT = 20000

/** load makes the client out of the modules in a directory, with the codecs that kafkajs lets one add. */
async function load(modules, bootstrap) {
  const from = name => require(require.resolve(name, { paths: [modules] }))
  const kafkajs = from('kafkajs')
  const snappy = from('kafkajs-snappy')
  const lz4 = from('lz4-napi')
  const zstd = from('@bokuweb/zstd-wasm')
  await zstd.init()
  const { CompressionTypes: types, CompressionCodecs: codecs } = kafkajs
  codecs[types.Snappy] = snappy
  codecs[types.LZ4] = () => ({
    compress: encoder => lz4.compressFrame(encoder.buffer),
    decompress: buffer => lz4.decompressFrame(buffer),
  })
  codecs[types.ZSTD] = () => ({
    compress: async encoder => Buffer.from(zstd.compress(encoder.buffer, 3)),
    decompress: async buffer => Buffer.from(zstd.decompress(buffer)),
  })
  return new Client(kafkajs, bootstrap)
}

/** Coded is an error that the library tells by other means than an exception. */
class Coded extends Error {
  constructor(type) {
    super(type)
    this.type = type
  }
}

class Client {
  constructor(kafkajs, bootstrap) {
    this.lib = kafkajs
    this.bootstrap = bootstrap
    this.kafka = this.connect('driver')
    this.readings = 0
    this.codecs = {
      none: kafkajs.CompressionTypes.None, gzip: kafkajs.CompressionTypes.GZIP,
      snappy: kafkajs.CompressionTypes.Snappy, lz4: kafkajs.CompressionTypes.LZ4,
      zstd: kafkajs.CompressionTypes.ZSTD,
    }
  }

  connect(clientId) {
    return new this.lib.Kafka({
      clientId, brokers: [this.bootstrap], logLevel: this.lib.logLevel.ERROR,
      logCreator: () => ({ label, log }) => console.error(label, log.message, log.error || ''),
      retry: { retries: 8, initialRetryTime: 100, maxRetryTime: 1000 },
    })
  }

  /** with runs f with a connected admin client, producer or consumer. */
  async with(made, f) {
    await made.connect()
    try {
      return await f(made)
    } finally {
      await made.disconnect()
    }
  }

  admin(f) {
    return this.with(this.kafka.admin(), f)
  }

  async create(topic, partitions, settings = {}) {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
    const made = await this.admin(a =>
      a.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }] }))
    if (!made) throw new Coded('TOPIC_ALREADY_EXISTS')
  }

  /** produce returns the offset of the last record. */
  async produce(topic, records, { codec = 'none', idempotent = false, batch = records.length } = {}) {
    const options = idempotent ? { idempotent, maxInFlightRequests: 1 } : {}
    return this.with(this.kafka.producer(options), async producer => {
      let last = -1
      for (let i = 0; i < records.length; i += batch) {
        const messages = records.slice(i, i + batch)
        const done = await producer.send({ topic, acks: -1, compression: this.codecs[codec], messages })
        last = Number(done[0].baseOffset) + messages.filter(m => m.partition === done[0].partition).length - 1
      }
      return last
    })
  }

  /** read collects n records of one partition; wait is how long none may come after the first. */
  async read(topic, n, { partition = 0, start = 0, committed = false, wait = READ_WAIT, fetchBytes } = {}) {
    const consumer = this.kafka.consumer({
      groupId: `${topic}.read.${process.pid}.${this.readings++}`, readUncommitted: !committed,
      sessionTimeout: SESSION, heartbeatInterval: HEARTBEAT, rebalanceTimeout: REBALANCE, maxWaitTimeInMs: 200,
      ...(fetchBytes ? { maxBytesPerPartition: fetchBytes } : {}),
    })
    return this.with(consumer, async c => {
      const got = []
      await c.subscribe({ topics: [topic], fromBeginning: true })
      await new Promise((resolve, reject) => {
        let timer = setTimeout(resolve, READ_WAIT)
        c.on(c.events.CRASH, e => reject(e.payload.error))
        const eachMessage = async ({ partition: p, message: m }) => {
          if (p !== partition || got.length >= n) return
          got.push({
            partition: p, offset: Number(m.offset), key: m.key, value: m.value, timestamp: Number(m.timestamp),
            headers: m.headers,
          })
          clearTimeout(timer)
          timer = setTimeout(resolve, wait)
          if (got.length === n) resolve()
        }
        c.run({ autoCommit: false, eachMessage }).catch(reject)
        if (start > 0) c.seek({ topic, partition, offset: String(start) })
      })
      return got
    })
  }

  async offsets(topic, partition) {
    const all = await this.admin(a => a.fetchTopicOffsets(topic))
    const one = all.find(p => p.partition === partition)
    return { low: Number(one.low), high: Number(one.high) }
  }

  async offsetFor(topic, partition, timestamp) {
    const all = await this.admin(a => a.fetchTopicOffsetsByTimestamp(topic, timestamp))
    return Number(all.find(p => p.partition === partition).offset)
  }

  async partitions(topic) {
    const { topics } = await this.admin(a => a.fetchTopicMetadata({ topics: [topic] }))
    const found = topics[0].partitions
    return [found.length, found.filter(p => p.leader >= 0 && p.partitionErrorCode === 0).length].join()
  }

  topics() {
    return this.admin(a => a.listTopics())
  }

  async settings(topic) {
    const resources = [{ type: this.lib.ConfigResourceTypes.TOPIC, name: topic }]
    const done = await this.admin(a => a.describeConfigs({ resources, includeSynonyms: false }))
    return Object.fromEntries(done.resources[0].configEntries.map(e => [e.configName, e.configValue]))
  }

  /** alter gives all settings, as the library's call replaces them. */
  alter(topic, settings) {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
    const resources = [{ type: this.lib.ConfigResourceTypes.TOPIC, name: topic, configEntries }]
    return this.admin(a => a.alterConfigs({ validateOnly: false, resources }))
  }

  addPartitions(topic, count) {
    return this.admin(a => a.createPartitions({ topicPartitions: [{ topic, count }] }))
  }

  deleteRecords(topic, partition, offset) {
    return this.admin(async a => {
      await a.fetchTopicOffsets(topic) // loads the metadata that the next call wants
      await a.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] })
    })
  }

  deleteTopic(topic) {
    return this.admin(a => a.deleteTopics({ topics: [topic] }))
  }

  commit(groupId, topic, partition, offset) {
    const partitions = [{ partition, offset: String(offset) }]
    return this.admin(a => a.setOffsets({ groupId, topic, partitions }))
  }

  async committed(groupId, topic, partition) {
    const [found] = await this.admin(a => a.fetchOffsets({ groupId, topics: [topic] }))
    return Number(found.partitions.find(p => p.partition === partition).offset)
  }

  async groups() {
    const { groups } = await this.admin(a => a.listGroups())
    return groups.map(g => g.groupId)
  }

  async describe(groupId) {
    const { groups } = await this.admin(a => a.describeGroups([groupId]))
    return `${groups[0].state} ${groups[0].members.length}`
  }

  deleteGroup(groupId) {
    return this.admin(a => a.deleteGroups([groupId]))
  }

  /** transact makes a transactional producer, which the library initializes with its first transaction. */
  async transact(transactionalId) {
    const producer = this.kafka.producer({ transactionalId, maxInFlightRequests: 1, idempotent: true })
    await producer.connect()
    const first = await producer.transaction()
    return new Transactions(producer, first)
  }

  /** member is one consumer until leave resolves. */
  async member(args, events, leave) {
    const consumer = this.connect(args['client-id']).consumer({
      groupId: args.group, sessionTimeout: SESSION, heartbeatInterval: HEARTBEAT, rebalanceTimeout: REBALANCE,
      maxWaitTimeInMs: 200,
    })
    consumer.on(consumer.events.GROUP_JOIN, e => events.own(e.payload.memberAssignment[args.topic] || []))
    const crashed = new Promise((_, reject) => {
      consumer.on(consumer.events.CRASH, e => e.payload.restart || reject(e.payload.error))
    })
    await consumer.connect()
    await consumer.subscribe({ topics: [args.topic], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch, resolveOffset }) => {
        for (const m of batch.messages) {
          events.record(batch.partition, Number(m.offset), m.value.toString())
          resolveOffset(m.offset)
        }
        const offset = String(BigInt(batch.lastOffset()) + 1n)
        await consumer.commitOffsets([{ topic: batch.topic, partition: batch.partition, offset }])
      },
    })
    await Promise.race([leave, crashed])
    await consumer.disconnect()
  }
}

/** Transactions is one transactional producer. */
class Transactions {
  constructor(producer, first) {
    this.producer = producer
    this.next = first
  }

  async begin() {
    this.t = this.next || (await this.producer.transaction())
    this.next = null
  }

  send(topic, messages) {
    return this.t.send({ topic, acks: -1, messages })
  }

  offset(consumerGroupId, topic, partition, offset) {
    const topics = [{ topic, partitions: [{ partition, offset: String(offset) }] }]
    return this.t.sendOffsets({ consumerGroupId, topics })
  }

  commit() {
    return this.t.commit()
  }

  abort() {
    return this.t.abort()
  }

  async close() {
    if (this.next) await this.next.abort()
    await this.producer.disconnect()
  }
}

module.exports = { load }
