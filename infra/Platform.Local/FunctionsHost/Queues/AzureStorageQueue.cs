using Azure;
using Azure.Storage.Queues;
using Azure.Storage.Queues.Models;

namespace Platform.Local.FunctionsHost.Queues;

/// <summary>A queue of Azure Storage, or of Azurite. It is made by the first message that is sent to it.</summary>
internal sealed class AzureStorageQueue : IMessageQueue
{
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(100);

    private readonly QueueClient _client;
    private readonly TimeProvider _time;
    private TimeSpan _wait = ShortestWait;

    private AzureStorageQueue(QueueClient client, TimeProvider time)
    {
        _client = client;
        _time = time;
    }

    public string Name => _client.Name;

    /// <exception cref="FunctionAppException">The connection string is malformed.</exception>
    public static IMessageQueue Open(string connection, string setting, string name, TimeProvider time) => new AzureStorageQueue(Client(connection, setting, name), time);

    /// <summary>A client of the queue, which need not be there.</summary>
    /// <exception cref="FunctionAppException">The connection string is malformed.</exception>
    public static QueueClient Client(string connection, string setting, string name)
    {
        try
        {
            return new QueueClient(connection, name, new QueueClientOptions { MessageEncoding = QueueMessageEncoding.None });
        }
        catch (Exception exception) when (exception is FormatException or ArgumentException)
        {
            throw new FunctionAppException($"The setting '{setting}' is no storage connection string: {exception.Message} Use 'embedded' for the queue of this host.", exception);
        }
    }

    public async Task SendAsync(string text, CancellationToken cancellationToken)
    {
        try
        {
            await SendOrCreateAsync(text, cancellationToken);
        }
        catch (RequestFailedException exception) when (exception.Status == StatusCodes.Status413PayloadTooLarge || exception.ErrorCode is "RequestBodyTooLarge" or "MessageTooLarge")
        {
            throw new ArgumentException($"A message for queue '{Name}' has {System.Text.Encoding.UTF8.GetByteCount(text)} bytes as stored; expected at most 65536. Put the payload into object storage and send its key.", nameof(text), exception);
        }
    }

    public async Task<IReadOnlyList<QueueMessage>> ReceiveAsync(int count, TimeSpan lease, CancellationToken cancellationToken)
    {
        Azure.Storage.Queues.Models.QueueMessage[] messages;
        try
        {
            messages = (await _client.ReceiveMessagesAsync(count, lease, cancellationToken)).Value;
        }
        catch (RequestFailedException exception) when (exception.ErrorCode == QueueErrorCode.QueueNotFound)
        {
            // Nobody has written to it yet, or it was deleted. Its readers wait for it; only writing makes it.
            return [];
        }

        if (messages.Length > 0)
        {
            _wait = ShortestWait;
        }

        return [.. messages.Select(message => new QueueMessage(
            message.MessageId,
            message.Body.ToString(),
            message.PopReceipt,
            message.DequeueCount,
            message.InsertedOn ?? default,
            message.ExpiresOn ?? default,
            message.NextVisibleOn ?? default))];
    }

    /// <summary>Nothing tells a storage queue's readers of news, so this is a pause that grows while the queue is empty, at random, as the extension's does.</summary>
    public async Task WaitAsync(TimeSpan longest, CancellationToken cancellationToken)
    {
        var wait = _wait < longest ? _wait : longest;
        _wait = TimeSpan.FromTicks(Math.Min(longest.Ticks, (long)(wait.Ticks * (1.2 + (Random.Shared.NextDouble() * 0.6)))));
        await Task.Delay(wait, _time, cancellationToken);
    }

    public async Task<string> SetVisibilityAsync(string id, string popReceipt, TimeSpan delay, CancellationToken cancellationToken)
    {
        try
        {
            return (await _client.UpdateMessageAsync(id, popReceipt, visibilityTimeout: delay, cancellationToken: cancellationToken)).Value.PopReceipt;
        }
        catch (RequestFailedException exception) when (IsLost(exception))
        {
            throw new LeaseLostException(Name, id, exception);
        }
    }

    public async Task DeleteAsync(string id, string popReceipt, CancellationToken cancellationToken)
    {
        try
        {
            await _client.DeleteMessageAsync(id, popReceipt, cancellationToken);
        }
        catch (RequestFailedException exception) when (IsLost(exception))
        {
            throw new LeaseLostException(Name, id, exception);
        }
    }

    private async Task SendOrCreateAsync(string text, CancellationToken cancellationToken)
    {
        try
        {
            await _client.SendMessageAsync(text, cancellationToken);
        }
        catch (RequestFailedException exception) when (exception.ErrorCode == QueueErrorCode.QueueNotFound)
        {
            await _client.CreateIfNotExistsAsync(cancellationToken: cancellationToken);
            await _client.SendMessageAsync(text, cancellationToken);
        }
    }

    private static bool IsLost(RequestFailedException exception) =>
        exception.ErrorCode == QueueErrorCode.PopReceiptMismatch || exception.ErrorCode == QueueErrorCode.MessageNotFound || exception.ErrorCode == QueueErrorCode.QueueNotFound;
}
