using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Platform.Dapr.Http;

namespace Platform.Dapr.Actors;

/// <summary>Calls the methods of one actor through the sidecar. Thread-safe; calls are queued by the sidecar, one turn at a time.</summary>
/// <remarks>A method that threw is a <see cref="DaprActorMethodException"/>; a call that never became a turn, or was cut off in it, is a <see cref="DaprActorException"/>.</remarks>
public sealed class ActorProxy
{
    private readonly ActorApi _api;

    internal ActorProxy(ActorApi api, string actorType, string actorId)
    {
        _api = api;
        ActorType = actorType;
        ActorId = new ActorId(actorId);
    }

    /// <summary>A proxy with the actor's own interface, for an app outside dependency injection: <c>ActorProxy.Create&lt;IJobActor&gt;(new ActorId("7"), "JobActor")</c>.</summary>
    /// <remarks>The sidecar is the one of the environment (see <see cref="DaprOptions.FromEnvironment"/>); inside a host take <see cref="ActorProxyFactory"/> instead.</remarks>
    /// <inheritdoc cref="ActorProxyFactory.CreateActorProxy{TActor}(ActorId, string, JsonSerializerContext?)"/>
    public static TActor Create<TActor>(ActorId actorId, string actorType, JsonSerializerContext? json = null)
        where TActor : class, IActor => ActorProxyFactory.OfEnvironment.Value.CreateActorProxy<TActor>(actorId, actorType, json);

    /// <summary>Type of the actor.</summary>
    public string ActorType { get; }

    /// <summary>Id of the actor.</summary>
    public ActorId ActorId { get; }

    /// <summary>Calls a method that takes an argument and returns a result.</summary>
    /// <returns>The result; null only if the method returned null.</returns>
    public async Task<TResponse> InvokeMethodAsync<TRequest, TResponse>(
        string method, TRequest request, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TResponse> responseType, CancellationToken cancellationToken = default)
    {
        using var response = await SendAsync(method, JsonBody.From(request, requestType), cancellationToken);
        return await ReadAsync(method, response, responseType, cancellationToken);
    }

    /// <summary>Calls a method that takes nothing and returns a result.</summary>
    /// <inheritdoc cref="InvokeMethodAsync{TRequest, TResponse}" path="/returns"/>
    public async Task<TResponse> InvokeMethodAsync<TResponse>(string method, JsonTypeInfo<TResponse> responseType, CancellationToken cancellationToken = default)
    {
        using var response = await SendAsync(method, null, cancellationToken);
        return await ReadAsync(method, response, responseType, cancellationToken);
    }

    /// <summary>Calls a method that takes an argument and returns nothing.</summary>
    public async Task InvokeMethodAsync<TRequest>(string method, TRequest request, JsonTypeInfo<TRequest> requestType, CancellationToken cancellationToken = default)
    {
        using var response = await SendAsync(method, JsonBody.From(request, requestType), cancellationToken);
    }

    /// <summary>Calls a method that takes and returns nothing.</summary>
    public async Task InvokeMethodAsync(string method, CancellationToken cancellationToken = default)
    {
        using var response = await SendAsync(method, null, cancellationToken);
    }

    /// <summary>Calls with a body that is made already, and drops the result.</summary>
    internal async Task InvokeAsync(string method, HttpContent? content, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(method, content, cancellationToken);
    }

    /// <summary>Calls with a body that is made already.</summary>
    internal async Task<T> InvokeAsync<T>(string method, HttpContent? content, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(method, content, cancellationToken);
        return await ReadAsync(method, response, type, cancellationToken);
    }

    private Task<HttpResponseMessage> SendAsync(string method, HttpContent? content, CancellationToken cancellationToken) =>
        _api.SendForAnswerAsync(HttpMethod.Put, ActorType, ActorId.Value, "method/" + PathSegment.Escape(method), content, cancellationToken);

    private async Task<T> ReadAsync<T>(string method, HttpResponseMessage response, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        try
        {
            return JsonSerializer.Deserialize(await response.Content.ReadAsByteArrayAsync(cancellationToken), type)!;
        }
        catch (Exception e) when (e is JsonException or HttpRequestException)
        {
            throw new DaprActorException($"The result of '{method}' of actor {ActorType}/{ActorId} is not a {typeof(T).Name}: {e.Message}", e)
            {
                ActorType = ActorType,
                ActorId = ActorId.Value,
                Method = method,
                StatusCode = response.StatusCode,
            };
        }
    }
}
