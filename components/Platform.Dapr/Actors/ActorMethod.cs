using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Platform.Dapr.Actors;

/// <summary>One callable method: how its argument is read, how it is called, how its result is written. Thread-safe.</summary>
internal sealed class ActorMethod
{
    private static readonly MethodInfo WriteResultOf = typeof(ActorMethod).GetMethod(nameof(WriteResult), BindingFlags.Static | BindingFlags.NonPublic)!;
    private readonly string _name;
    private readonly MethodInvoker _invoker;
    private readonly Type? _argument;
    private readonly Type? _result;
    private readonly bool _takesToken;
    private readonly Func<Task, JsonTypeInfo, byte[]>? _writeResult;

    private ActorMethod(MethodInfo method, Type? argument, Type? result, bool takesToken)
    {
        _name = method.Name;
        _invoker = MethodInvoker.Create(method);
        _argument = argument;
        _result = result;
        _takesToken = takesToken;
        _writeResult = result is null ? null : WriteResultOf.MakeGenericMethod(result).CreateDelegate<Func<Task, JsonTypeInfo, byte[]>>();
    }

    public static ActorMethod Of(MethodInfo method)
    {
        var parameters = method.GetParameters().Select(parameter => parameter.ParameterType).ToList();
        var takesToken = parameters.Count > 0 && parameters[^1] == typeof(CancellationToken);
        if (takesToken)
        {
            parameters.RemoveAt(parameters.Count - 1);
        }

        var isTask = method.ReturnType == typeof(Task);
        var result = !isTask && method.ReturnType.IsGenericType && method.ReturnType.GetGenericTypeDefinition() == typeof(Task<>) ? method.ReturnType.GetGenericArguments()[0] : null;
        if (parameters.Count > 1 || method.IsGenericMethod || (!isTask && result is null))
        {
            throw new InvalidOperationException(
                $"{method.DeclaringType?.Name}.{method.Name} cannot be an actor's method: it takes no argument or one, then perhaps a CancellationToken, and returns Task or Task<T>.");
        }

        return new ActorMethod(method, parameters.Count == 1 ? parameters[0] : null, result, takesToken);
    }

    public void RequireJson(string actorType, JsonSerializerOptions json)
    {
        foreach (var type in new[] { _argument, _result }.OfType<Type>().Where(type => !json.TryGetTypeInfo(type, out _)))
        {
            throw new InvalidOperationException($"{actorType}.{_name} uses {type}, which the actors' JsonContext does not know; add [JsonSerializable(typeof({type.Name}))] to it.");
        }
    }

    /// <summary>Runs the method.</summary>
    /// <returns>The result as JSON; null if the method has none.</returns>
    /// <exception cref="ActorArgumentException">The body is not the argument.</exception>
    public async Task<byte[]?> InvokeAsync(Actor actor, ReadOnlyMemory<byte> body, JsonSerializerOptions json, CancellationToken cancellationToken)
    {
        var argument = _argument is null ? null : ReadArgument(body.Span, json.GetTypeInfo(_argument));
        var task = (Task)((_argument, _takesToken) switch
        {
            (null, false) => _invoker.Invoke(actor),
            (null, true) => _invoker.Invoke(actor, cancellationToken),
            (_, false) => _invoker.Invoke(actor, argument),
            (_, true) => _invoker.Invoke(actor, argument, cancellationToken),
        })!;
        await task;
        return _writeResult?.Invoke(task, json.GetTypeInfo(_result!));
    }

    private object? ReadArgument(ReadOnlySpan<byte> body, JsonTypeInfo type)
    {
        try
        {
            return body.IsEmpty ? null : JsonSerializer.Deserialize(body, type);
        }
        catch (JsonException e)
        {
            throw new ActorArgumentException($"The body of '{_name}' is not a {_argument!.Name}: {e.Message}", e);
        }
    }

    private static byte[] WriteResult<T>(Task task, JsonTypeInfo type) => JsonSerializer.SerializeToUtf8Bytes(((Task<T>)task).Result, (JsonTypeInfo<T>)type);
}

/// <summary>The caller sent something that is not the method's argument.</summary>
internal sealed class ActorArgumentException(string message, Exception inner) : Exception(message, inner);
