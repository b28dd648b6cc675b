using System.Text.Json.Nodes;

namespace Platform.Functions.Hosting;

/// <summary>Runs the function for each message of a queue. The parameter is the message's text (<see cref="string"/>) or a type read from its JSON. A failure puts the message back.</summary>
/// <param name="queueName">Queue to read. One that is missing is waited for; the first message makes it.</param>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class QueueTriggerAttribute(string queueName) : TriggerAttribute
{
    /// <summary>Queue to read.</summary>
    public string QueueName { get; } = queueName;

    /// <summary>Name of the app setting with the connection; null: <c>AzureWebJobsStorage</c>.</summary>
    public string? Connection { get; set; }

    internal override string BindingType => "queueTrigger";

    internal override void Describe(JsonObject binding) => QueueBinding.Describe(binding, QueueName, Connection);
}

/// <summary>Sends the return value, or the property, to a queue once the function has succeeded: an object as its JSON, each element of an array as its own message, null as none.</summary>
/// <param name="queueName">Queue to write; created if it is missing.</param>
[AttributeUsage(AttributeTargets.Method | AttributeTargets.Property)]
public sealed class QueueOutputAttribute(string queueName) : OutputAttribute
{
    /// <summary>Queue to write.</summary>
    public string QueueName { get; } = queueName;

    /// <summary>Name of the app setting with the connection; null: <c>AzureWebJobsStorage</c>.</summary>
    public string? Connection { get; set; }

    internal override string BindingType => "queue";

    internal override void Describe(JsonObject binding) => QueueBinding.Describe(binding, QueueName, Connection);
}

file static class QueueBinding
{
    public static void Describe(JsonObject binding, string queueName, string? connection)
    {
        binding["queueName"] = queueName;
        binding["connection"] = connection ?? "AzureWebJobsStorage";
    }
}
