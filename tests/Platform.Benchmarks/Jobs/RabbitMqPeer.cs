using System.Diagnostics;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Platform.Benchmarks.Jobs;

/// <summary>Persistent messages of 100 bytes through a durable queue, each confirmed to its sender when it is safe.</summary>
internal static class RabbitMqPeer
{
    private const string Queue = "jobs";
    private static readonly BasicProperties Persistent = new() { Persistent = true };
    private static readonly byte[] Body = new byte[100];

    /// <summary>One at a time: times from publishing to the confirmation, and from publishing to the delivery.</summary>
    public static async Task<(List<TimeSpan> Confirms, List<TimeSpan> Deliveries)> MeasureAsync(int port, int count)
    {
        await using var connection = await ConnectAsync(port);
        await using var sender = await ChannelAsync(connection);
        await using var receiver = await connection.CreateChannelAsync();
        TaskCompletionSource<long> delivered = new();
        var consumer = new AsyncEventingBasicConsumer(receiver);
        consumer.ReceivedAsync += async (_, message) =>
        {
            delivered.SetResult(Stopwatch.GetTimestamp());
            await receiver.BasicAckAsync(message.DeliveryTag, multiple: false);
        };
        await receiver.BasicConsumeAsync(Queue, autoAck: false, consumer);
        var (confirms, deliveries) = (new List<TimeSpan>(), new List<TimeSpan>());
        for (var i = 0; i < count; i++)
        {
            delivered = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            var begin = Stopwatch.GetTimestamp();
            await sender.BasicPublishAsync("", Queue, mandatory: false, Persistent, Body);
            confirms.Add(Stopwatch.GetElapsedTime(begin));
            deliveries.Add(Stopwatch.GetElapsedTime(begin, await delivered.Task));
        }

        return (confirms, deliveries);
    }

    /// <summary>Confirmed messages per second of several senders, each waiting for its confirmations.</summary>
    public static async Task<double> ConfirmRateAsync(int port, int count, int atOnce)
    {
        await using var connection = await ConnectAsync(port);
        var senders = await Task.WhenAll(Enumerable.Range(0, atOnce).Select(_ => ChannelAsync(connection)));
        var began = Stopwatch.GetTimestamp();
        await Task.WhenAll(senders.Select(async sender =>
        {
            for (var i = 0; i < count / atOnce; i++)
            {
                await sender.BasicPublishAsync("", Queue, mandatory: false, Persistent, Body);
            }
        }));
        return count / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private static async Task<IChannel> ChannelAsync(IConnection connection)
    {
        var channel = await connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true));
        await channel.QueueDeclareAsync(Queue, durable: true, exclusive: false, autoDelete: false);
        return channel;
    }

    private static Task<IConnection> ConnectAsync(int port) => new ConnectionFactory { HostName = "127.0.0.1", Port = port }.CreateConnectionAsync();
}
