using Microsoft.Extensions.Logging;

namespace Platform.Dapr.Actors;

/// <summary>What the runtime gives an actor: who it is, its state, its log.</summary>
public sealed class ActorHost
{
    internal ActorHost(ActorTypeInformation type, ActorId id, ActorStateManager stateManager, ActorSchedules schedules, ActorProxyFactory proxies, ILoggerFactory loggers, TimeProvider time)
    {
        Type = type;
        Id = id;
        StateManager = stateManager;
        Schedules = schedules;
        ProxyFactory = proxies;
        LoggerFactory = loggers;
        Time = time;
    }

    /// <summary>Actor type name, as Dapr knows it.</summary>
    public string ActorType => Type.Name;

    /// <summary>Id of the actor.</summary>
    public ActorId Id { get; }

    /// <summary>Calls other actors.</summary>
    public ActorProxyFactory ProxyFactory { get; }

    /// <summary>Makes loggers.</summary>
    public ILoggerFactory LoggerFactory { get; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; }

    internal ActorTypeInformation Type { get; }

    internal ActorStateManager StateManager { get; }

    internal ActorSchedules Schedules { get; }
}
