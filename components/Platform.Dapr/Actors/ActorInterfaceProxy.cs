using System.Collections.Concurrent;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Platform.Dapr.Http;

namespace Platform.Dapr.Actors;

/// <summary>The object behind a proxy that has an actor's own interface: each method call becomes a call through the sidecar.</summary>
/// <remarks>The runtime derives a class that implements the interface; this one is not sealed for that reason.</remarks>
internal class ActorInterfaceProxy : DispatchProxy
{
    private static readonly MethodInfo CallOf = typeof(ActorInterfaceProxy).GetMethod(nameof(CallAsync), BindingFlags.Instance | BindingFlags.NonPublic)!;
    private static readonly ConcurrentDictionary<MethodInfo, Signature> Signatures = new();
    private ActorProxy _actor = null!;
    private JsonSerializerOptions _json = null!;

    /// <exception cref="InvalidOperationException">A method of the interface is none of an actor's, or uses a type that the JSON context does not know.</exception>
    public static TActor Create<TActor>(ActorProxy actor, JsonSerializerOptions json)
        where TActor : class, IActor
    {
        foreach (var method in typeof(TActor).GetInterfaces().Append(typeof(TActor)).SelectMany(type => type.GetMethods()).Where(method => !method.IsStatic))
        {
            ActorMethod.Of(method).RequireJson(typeof(TActor).Name, json);
        }

        var proxy = Create<TActor, ActorInterfaceProxy>();
        var self = (ActorInterfaceProxy)(object)proxy;
        (self._actor, self._json) = (actor, json);
        return proxy;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        var signature = Signatures.GetOrAdd(targetMethod!, static method => new Signature(method));
        var cancellationToken = signature.TakesToken ? (CancellationToken)args![^1]! : default;
        var content = signature.Argument is { } type ? JsonBody.From(JsonSerializer.SerializeToUtf8Bytes(args![0], _json.GetTypeInfo(type)), JsonBody.Json) : null;
        return signature.Call is { } call
            ? call.Invoke(this, targetMethod!.Name, content, cancellationToken)
            : _actor.InvokeAsync(targetMethod!.Name, content, cancellationToken);
    }

    private Task<T> CallAsync<T>(string method, HttpContent? content, CancellationToken cancellationToken) =>
        _actor.InvokeAsync(method, content, (JsonTypeInfo<T>)_json.GetTypeInfo(typeof(T)), cancellationToken);

    /// <summary>What a method takes and returns.</summary>
    private sealed class Signature
    {
        public Signature(MethodInfo method)
        {
            var parameters = method.GetParameters();
            TakesToken = parameters is [.., { } last] && last.ParameterType == typeof(CancellationToken);
            Argument = parameters.Length > (TakesToken ? 1 : 0) ? parameters[0].ParameterType : null;
            Call = method.ReturnType.IsGenericType ? MethodInvoker.Create(CallOf.MakeGenericMethod(method.ReturnType.GetGenericArguments()[0])) : null;
        }

        public Type? Argument { get; }

        public bool TakesToken { get; }

        public MethodInvoker? Call { get; }
    }
}
