using System.Diagnostics;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace Platform.Benchmarks.Dispatch;

/// <summary>Persistent messages through a durable queue of RabbitMQ: each confirmed to the sender when it is safe, each acknowledged by the receiver.</summary>
internal static class RabbitMqQueue
{
    private const string Queue = "bench";
    private const int Unconfirmed = 256;

    /// <summary>Waits until the broker takes connections; false if it does not within the limit.</summary>
    public static async Task<bool> AnswersAsync(int port, TimeSpan limit)
    {
        for (var began = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(began) < limit; await Task.Delay(250))
        {
            try
            {
                await using var connection = await ConnectAsync(port);
                return true;
            }
            catch (BrokerUnreachableException)
            {
                // It is still starting.
            }
        }

        return false;
    }

    /// <summary>Messages of 100 bytes per second, from the first send to the last acknowledgement.</summary>
    public static async Task<double> RateAsync(int port, int count)
    {
        await using var connection = await ConnectAsync(port);
        await using var sender = await connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true));
        await using var receiver = await connection.CreateChannelAsync();
        await sender.QueueDeclareAsync(Queue, durable: true, exclusive: false, autoDelete: false);
        await receiver.BasicQosAsync(0, 64, global: false);
        var (left, all) = (count, new TaskCompletionSource());
        var consumer = new AsyncEventingBasicConsumer(receiver);
        consumer.ReceivedAsync += async (_, message) =>
        {
            await receiver.BasicAckAsync(message.DeliveryTag, multiple: false);
            if (Interlocked.Decrement(ref left) == 0)
            {
                all.SetResult();
            }
        };
        await receiver.BasicConsumeAsync(Queue, autoAck: false, consumer);

        var (body, properties) = (new byte[100], new BasicProperties { Persistent = true });
        var began = Stopwatch.GetTimestamp();
        foreach (var batch in Enumerable.Range(0, count).Chunk(Unconfirmed))
        {
            await Task.WhenAll(batch.Select(_ => sender.BasicPublishAsync("", Queue, mandatory: false, properties, body).AsTask()));
        }

        await all.Task;
        return count / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private static Task<IConnection> ConnectAsync(int port) => new ConnectionFactory { HostName = "127.0.0.1", Port = port }.CreateConnectionAsync();
}
