using System.Text.Json;

namespace Platform.Functions.Hosting;

/// <summary>One invocation, for functions that ask for it as a parameter.</summary>
public sealed class FunctionContext
{
    /// <summary>The function's name.</summary>
    public required string FunctionName { get; init; }

    /// <summary>Identifies the invocation in the host's log as well.</summary>
    public required string InvocationId { get; init; }

    /// <summary>Ends when the caller goes away or the handler stops.</summary>
    public required CancellationToken CancellationToken { get; init; }

    /// <summary>Services of this invocation.</summary>
    public required IServiceProvider InstanceServices { get; init; }

    /// <summary>The trigger's metadata, for example <c>DequeueCount</c>; values as the host encodes them.</summary>
    public IReadOnlyDictionary<string, JsonElement> BindingData { get; init; } = new Dictionary<string, JsonElement>();
}
