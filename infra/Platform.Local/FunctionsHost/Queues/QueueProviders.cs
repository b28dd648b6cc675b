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

    /// <summary>Finds out, without asking anybody, whether a queue may be opened.</summary>
    /// <param name="queueName">Its name, in which expressions of an invocation may be left.</param>
    /// <param name="connectionName">The setting that holds its connection; empty for <c>AzureWebJobsStorage</c>.</param>
    /// <exception cref="FunctionAppException">It may not; the message says why.</exception>
    public void Check(string queueName, string? connectionName)
    {
        var name = queueName.Contains('{', StringComparison.Ordinal) ? queueName : NameOf(queueName);
        var (setting, connection) = ConnectionOf(name, connectionName);
        if (!Embedded.Equals(connection, StringComparison.OrdinalIgnoreCase))
        {
            AzureStorageQueue.Client(connection, setting, "any");
        }
    }

    /// <summary>The queue of this name; it need not be there yet.</summary>
    /// <exception cref="FunctionAppException">The name is no queue name, or the connection setting is missing or wrong.</exception>
    public IMessageQueue Open(string queueName, string? connectionName)
    {
        var name = NameOf(queueName);
        var (setting, connection) = ConnectionOf(name, connectionName);
        if (Embedded.Equals(connection, StringComparison.OrdinalIgnoreCase))
        {
            return embedded.Open(name);
        }

        return _open.GetOrAdd((connection, name), key => AzureStorageQueue.Open(key.Connection, setting, key.Name, time));
    }

    private static string NameOf(string queueName) => queueName.ToLowerInvariant() is var name && IsName(name)
        ? name
        : throw new FunctionAppException($"'{queueName}' is no queue name; expected 3 to 63 of a-z 0-9 -, no hyphen at the ends, no two in a row.{(queueName.Contains('%', StringComparison.Ordinal) ? " A %SETTING% that is not set stays as it is." : "")}");

    private (string Setting, string Connection) ConnectionOf(string queue, string? connectionName)
    {
        var setting = string.IsNullOrEmpty(connectionName) ? "AzureWebJobsStorage" : connectionName;
        return (setting, settings.Connection(setting)
            ?? throw new FunctionAppException($"The setting '{setting}', the connection of queue '{queue}', is missing. Set it in local.settings.json: 'embedded' for the queue of this host, or a storage connection string; connections by identity ({setting}__queueServiceUri) are not served."));
    }

    [GeneratedRegex(@"^(?=.{3,63}\z)[a-z0-9]+(-[a-z0-9]+)*\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex NamePattern();
}
