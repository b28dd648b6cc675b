using System.Collections.ObjectModel;
using System.Text.Json;

namespace Platform.Functions.Hosting;

/// <summary>One invocation, for functions that ask for it as a parameter.</summary>
public sealed class FunctionContext
{
    /// <summary>The function that runs.</summary>
    public required FunctionDefinition FunctionDefinition { get; init; }

    /// <summary>Identifies the invocation in the host's log as well.</summary>
    public required string InvocationId { get; init; }

    /// <summary>Ends when the caller goes away or the handler stops.</summary>
    public required CancellationToken CancellationToken { get; init; }

    /// <summary>Services of this invocation.</summary>
    public required IServiceProvider InstanceServices { get; init; }

    /// <summary>What the trigger tells besides its value.</summary>
    public BindingContext BindingContext { get; init; } = BindingContext.Nothing;

    /// <summary>How often the invocation has been retried; null for functions without a retry policy.</summary>
    public RetryContext? RetryContext { get; init; }

    /// <summary>A place for what the parts of one invocation tell each other.</summary>
    public IDictionary<object, object> Items => field ??= new Dictionary<object, object>();

    /// <summary>The trigger's metadata as the host encodes it.</summary>
    internal IReadOnlyDictionary<string, JsonElement> Metadata { get; init; } = ReadOnlyDictionary<string, JsonElement>.Empty;

    /// <summary>The HTTP call behind the invocation; null for other triggers.</summary>
    internal HttpContext? Http { get; init; }
}

/// <summary>A function as an invocation sees it.</summary>
/// <param name="Name">The function's name.</param>
/// <param name="EntryPoint">Class and method.</param>
/// <param name="PathToAssembly">The program that has it.</param>
public sealed record FunctionDefinition(string Name, string EntryPoint, string PathToAssembly);

/// <summary>The trigger's metadata.</summary>
/// <param name="BindingData">Values by name, for example <c>DequeueCount</c>; texts, and JSON for what is more than that.</param>
public sealed record BindingContext(IReadOnlyDictionary<string, object?> BindingData)
{
    internal static BindingContext Nothing { get; } = new(ReadOnlyDictionary<string, object?>.Empty);
}

/// <summary>The state of retries.</summary>
/// <param name="RetryCount">0 for the first attempt.</param>
/// <param name="MaxRetryCount">Retries at most; -1 for any number.</param>
public sealed record RetryContext(int RetryCount, int MaxRetryCount);

/// <summary>What functions often ask their invocation for.</summary>
public static class FunctionContextExtensions
{
    /// <summary>A logger with the category of <typeparamref name="T"/>.</summary>
    public static ILogger<T> GetLogger<T>(this FunctionContext context) => context.InstanceServices.GetRequiredService<ILogger<T>>();

    /// <summary>A logger with a category of its own.</summary>
    public static ILogger GetLogger(this FunctionContext context, string categoryName) => context.InstanceServices.GetRequiredService<ILoggerFactory>().CreateLogger(categoryName);

    /// <summary>The HTTP call behind the invocation; null for other triggers.</summary>
    public static HttpContext? GetHttpContext(this FunctionContext context) => context.Http;
}
