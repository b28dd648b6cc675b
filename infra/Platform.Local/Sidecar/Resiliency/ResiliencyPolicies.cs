using System.Collections.Concurrent;
using Platform.Dapr;
using Platform.Local.Sidecar.Actors;
using Platform.Local.Sidecar.Expressions;
using Platform.Local.Sidecar.Resources;

namespace Platform.Local.Sidecar.Resiliency;

/// <summary>The Resiliency resources of one app: named policies, and which of them hold for which target.</summary>
internal sealed class ResiliencyPolicies
{
    private const int LeastBuiltInRetries = 3;
    private readonly Dictionary<string, TimeSpan> _timeouts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, RetryPolicy> _retries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, CircuitBreakerPolicy> _breakers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, YamlMap> _targets = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ResiliencyPolicy> _made = new(StringComparer.Ordinal);
    private readonly ActorBreakers _actorBreakers = new();
    private readonly TimeProvider _time;

    /// <exception cref="ResourceException">A policy cannot be read, or a target names one that is not there.</exception>
    public ResiliencyPolicies(IEnumerable<ResourceDocument> documents, TimeProvider time)
    {
        _time = time;
        var resiliencies = documents.Where(document => document.Kind == "Resiliency").ToList();
        foreach (var policies in resiliencies.Select(document => document.Spec.Map("policies")).OfType<YamlMap>())
        {
            Read(policies.Map("timeouts"), (map, name) => _timeouts[name] = Duration(map, name)!.Value);
            Read(policies.Map("retries"), (map, name) => _retries[name] = ReadRetry(map.Map(name) ?? throw map.ErrorAt(name, $"retry '{name}' is empty.")));
            Read(policies.Map("circuitBreakers"), (map, name) => _breakers[name] = ReadBreaker(map.Map(name) ?? throw map.ErrorAt(name, $"circuit breaker '{name}' is empty.")));
        }

        foreach (var targets in resiliencies.Select(document => document.Spec.Map("targets")).OfType<YamlMap>())
        {
            Read(targets.Map("apps"), (map, name) => AddTarget("app/" + name, map.Map(name)));
            Read(targets.Map("actors"), (map, name) => AddTarget("actor/" + name, map.Map(name)));
            Read(targets.Map("components"), (map, name) =>
            {
                AddTarget($"in/{name}", map.Map(name)?.Map("inbound"));
                AddTarget($"out/{name}", map.Map(name)?.Map("outbound"));
            });
        }
    }

    /// <summary>For calls of an app or endpoint.</summary>
    public ResiliencyPolicy ForApp(string appId) => Find("app/" + appId, ["App", ""]);

    /// <summary>For calls of an app in another process that have no policy: Dapr's built-in one, for a sidecar that is just not there.</summary>
    public ResiliencyPolicy BetweenSidecars => _made.GetOrAdd("built-in/service", static (_, self) =>
    {
        var named = self._retries.GetValueOrDefault("DaprBuiltInServiceRetries") ?? new RetryPolicy { Duration = TimeSpan.FromSeconds(1), MaxRetries = LeastBuiltInRetries };
        return new ResiliencyPolicy(named with { OnlyIfUnreached = true, MaxRetries = named.MaxRetries < 0 ? -1 : Math.Max(named.MaxRetries, LeastBuiltInRetries) }, null, null, self._time);
    }, this);

    /// <summary>For calls of an actor: its type's policy, with a breaker per type, per actor, or both, as <c>circuitBreakerScope</c> says.</summary>
    public ResiliencyPolicy ForActor(ActorKey actor)
    {
        var target = "actor/" + actor.Type;
        var policy = Find(target, ["Actor", ""]);
        return policy.Breaker is { } ofType && _targets.GetValueOrDefault(target) is { } map && map.Text("circuitBreakerScope") is "id" or "both"
            ? policy.With(_actorBreakers.Of(actor, ofType.Policy, map.Number("circuitBreakerCacheSize") ?? ActorBreakers.DefaultSize, _time), keepsOwn: map.Text("circuitBreakerScope") == "both")
            : policy;
    }

    /// <summary>For writes to a state store.</summary>
    public ResiliencyPolicy ForStateOutbound(string component) => Find("out/" + component, ["StatestoreComponentOutbound", "ComponentOutbound", "Component", ""]);

    /// <summary>For publishing to a pub/sub component.</summary>
    public ResiliencyPolicy ForPubSubOutbound(string component) => Find("out/" + component, ["PubsubComponentOutbound", "ComponentOutbound", "Component", ""]);

    /// <summary>For deliveries of a pub/sub component.</summary>
    public ResiliencyPolicy ForPubSubInbound(string component) => Find("in/" + component, ["PubsubComponentInbound", "ComponentInbound", "Component", ""]);

    private static void Read(YamlMap? map, Action<YamlMap, string> read)
    {
        foreach (var name in map?.Keys ?? [])
        {
            read(map!, name);
        }
    }

    private ResiliencyPolicy Find(string target, string[] levels) => _made.GetOrAdd(target, static (target, state) =>
    {
        var (self, levels) = state;
        var map = self._targets.GetValueOrDefault(target);
        var retry = Choose(self._retries, map?.Text("retry"), "Retry", levels);
        var breaker = Choose(self._breakers, map?.Text("circuitBreaker"), "CircuitBreaker", levels);
        var timeout = Choose(self._timeouts.ToDictionary(pair => pair.Key, pair => (TimeSpan?)pair.Value), map?.Text("timeout"), "Timeout", levels);
        return retry is null && breaker is null && timeout is null
            ? ResiliencyPolicy.None
            : new ResiliencyPolicy(retry, breaker is null ? null : new CircuitBreaker(breaker, self._time), timeout, self._time);
    }, (this, levels));

    /// <summary>The policy that the target names, else the default of the narrowest level.</summary>
    private static T? Choose<T>(IReadOnlyDictionary<string, T> policies, string? named, string kind, string[] levels)
    {
        if (named is not null)
        {
            return policies[named];
        }

        foreach (var level in levels)
        {
            if (policies.TryGetValue($"Default{level}{kind}Policy", out var policy))
            {
                return policy;
            }
        }

        return default;
    }

    private void AddTarget(string key, YamlMap? target)
    {
        if (target is null)
        {
            return;
        }

        RequireKnown(target, "retry", _retries.Keys);
        RequireKnown(target, "circuitBreaker", _breakers.Keys);
        RequireKnown(target, "timeout", _timeouts.Keys);
        if (key.StartsWith("actor/", StringComparison.Ordinal) && target.Text("circuitBreaker") is not null && target.Text("circuitBreakerScope") is not ("type" or "id" or "both"))
        {
            throw target.ErrorAt("circuitBreakerScope", $"circuitBreakerScope is '{target.Text("circuitBreakerScope") ?? "missing"}'; a circuit breaker of actors needs type, id or both.");
        }

        _targets[key] = target;
    }

    private static void RequireKnown(YamlMap target, string kind, ICollection<string> known)
    {
        if (target.Text(kind) is { } name && !known.Contains(name))
        {
            throw target.ErrorAt(kind, $"{kind} policy '{name}' is not defined; defined: {(known.Count == 0 ? "none" : string.Join(", ", known))}.");
        }
    }

    private static RetryPolicy ReadRetry(YamlMap map) => new()
    {
        IsExponential = map.Text("policy") switch
        {
            null or "constant" => false,
            "exponential" => true,
            var other => throw map.ErrorAt("policy", $"policy '{other}' is not known; expected constant or exponential."),
        },
        Duration = Duration(map, "duration") ?? TimeSpan.FromSeconds(5),
        MaxInterval = Duration(map, "maxInterval") ?? TimeSpan.FromSeconds(60),
        MaxRetries = map.Number("maxRetries") ?? -1,
        StatusCodes = ReadCodes(map.Map("matching")),
    };

    private static List<(int From, int To)> ReadCodes(YamlMap? matching) => [.. (matching?.Text("httpStatusCodes") ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(part =>
    {
        var ends = part.Split('-');
        return ends.Length is 1 or 2 && int.TryParse(ends[0], out var from) && int.TryParse(ends[^1], out var to)
            ? (from, to)
            : throw matching!.ErrorAt("httpStatusCodes", $"'{part}' is no status code and no range such as 500-599.");
    })];

    private static CircuitBreakerPolicy ReadBreaker(YamlMap map)
    {
        var defaults = new CircuitBreakerPolicy();
        try
        {
            return new CircuitBreakerPolicy
            {
                MaxRequests = map.Number("maxRequests") ?? 1,
                Interval = Duration(map, "interval") ?? TimeSpan.Zero,
                Timeout = Duration(map, "timeout") ?? defaults.Timeout,
                Trip = map.Text("trip") is { } trip ? CelExpression.Parse(trip, CircuitBreakerPolicy.Variables) : defaults.Trip,
            };
        }
        catch (CelException e)
        {
            throw map.ErrorAt("trip", $"'{map.Text("trip")}': {e.Message}");
        }
    }

    /// <summary>A Go duration; a bare number is milliseconds.</summary>
    private static TimeSpan? Duration(YamlMap map, string key) => map.Text(key) switch
    {
        null => null,
        var text when int.TryParse(text, out var milliseconds) => TimeSpan.FromMilliseconds(milliseconds),
        var text when GoDuration.TryParse(text, out var duration) => duration,
        var text => throw map.ErrorAt(key, $"'{key}' is '{text}'; expected a duration such as 500ms or 1m30s."),
    };
}
