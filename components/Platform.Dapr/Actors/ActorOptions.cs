using System.Text.Json;
using System.Text.Json.Serialization;

namespace Platform.Dapr.Actors;

/// <summary>Which actor types this app hosts, and how.</summary>
public sealed class ActorOptions
{
    private readonly Dictionary<string, ActorTypeInformation> _types = [];

    /// <summary>An actor without a turn for this long is deactivated. Default 60 minutes, as Dapr's.</summary>
    public TimeSpan ActorIdleTimeout { get; set; } = TimeSpan.FromMinutes(60);

    /// <summary>How long an actor that moves may finish its running turn. Default 60 seconds.</summary>
    public TimeSpan DrainOngoingCallTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Whether a moving actor finishes its running turn at all. Default true.</summary>
    public bool DrainRebalancedActors { get; set; } = true;

    /// <summary>Lets a chain of calls come back to an actor that waits for it. Default off.</summary>
    public bool ReentrancyEnabled { get; set; }

    /// <summary>Depth of such a chain, 1 or more. Default 32.</summary>
    public int ReentrancyMaxStackDepth { get; set; } = 32;

    /// <summary>How arguments, results and state are read and written. Needed as soon as one of them is no plain string, number, bool or byte array.</summary>
    public JsonSerializerContext? JsonContext { get; set; }

    internal IReadOnlyDictionary<string, ActorTypeInformation> Types => _types;

    /// <summary>Hosts an actor type.</summary>
    /// <param name="name">Its name for Dapr; by default that of the class.</param>
    /// <exception cref="InvalidOperationException">The name is taken, or the type has a method that cannot be called.</exception>
    public void RegisterActor<TActor>(string? name = null)
        where TActor : Actor
    {
        var type = new ActorTypeInformation(name ?? typeof(TActor).Name, typeof(TActor));
        if (!_types.TryAdd(type.Name, type))
        {
            throw new InvalidOperationException($"Actor type '{type.Name}' is registered twice; give one of the classes another name.");
        }
    }

    internal JsonSerializerOptions CreateJson() => ActorJson.Of(JsonContext);
}
