using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Platform.Local.FunctionsHost.App;

namespace Platform.Local.FunctionsHost.Queues;

/// <summary>Chooses the provider of a queue by its connection setting: <c>embedded</c> is the durable queue of this host, anything else an Azure Storage connection string.</summary>
internal sealed partial class QueueProviders(AppSettings settings, EmbeddedQueueStore embedded, TimeProvider time)
{
    /// <summary>The value of a connection setting that chooses the durable queue of this host.</summary>
    public const string Embedded = "embedded";

    private readonly ConcurrentDictionary<(string Connection, string Name), IMessageQueue> _open = new();

    /// <summary>True if a queue may have this name: Azure Storage's rule.</summary>
    public static bool IsName(string name) => NamePattern().IsMatch(name);

    /// <summary>The queue's provider in a word, for status pages.</summary>
    public string ProviderOf(string? connectionName) => Embedded.Equals(settings.Connection(connectionName), StringComparison.OrdinalIgnoreCase) ? Embedded : "azure-storage";

    /// <summary>The queue of this name; it need not be there yet.</summary>
    /// <exception cref="FunctionAppException">The name is no queue name, or the connection setting is missing or wrong.</exception>
    public IMessageQueue Open(string queueName, string? connectionName)
    {
        var name = queueName.ToLowerInvariant();
        if (!IsName(name))
        {
            throw new FunctionAppException($"'{queueName}' is no queue name; expected 3 to 63 of a-z 0-9 -, no hyphen at the ends, no two in a row.");
        }

        var setting = string.IsNullOrEmpty(connectionName) ? "AzureWebJobsStorage" : connectionName;
        var connection = settings.Connection(setting)
            ?? throw new FunctionAppException($"The setting '{setting}', the connection of queue '{name}', is missing. Set it in local.settings.json: 'embedded' for the queue of this host, or a storage connection string.");
        if (Embedded.Equals(connection, StringComparison.OrdinalIgnoreCase))
        {
            return embedded.Open(name);
        }

        return _open.GetOrAdd((connection, name), key => AzureStorageQueue.Open(key.Connection, setting, key.Name, time));
    }

    [GeneratedRegex(@"^(?=.{3,63}\z)[a-z0-9]+(-[a-z0-9]+)*\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex NamePattern();
}
