using System.Reflection;
using System.Text.Json;

namespace Platform.Dapr.Actors;

/// <summary>An actor class as the runtime sees it: its name, its callable methods, its timer callbacks. Made once at start.</summary>
internal sealed class ActorTypeInformation
{
    private readonly Dictionary<string, ActorMethod> _methods = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (MethodInvoker Invoker, bool TakesState)> _timers = new(StringComparer.Ordinal);

    public ActorTypeInformation(string name, Type implementation)
    {
        Name = name;
        Implementation = implementation;
        foreach (var contract in implementation.GetInterfaces().Where(type => type != typeof(IActor) && type.IsAssignableTo(typeof(IActor))))
        {
            foreach (var method in contract.GetMethods().Where(method => !method.IsStatic))
            {
                if (!_methods.TryAdd(method.Name, ActorMethod.Of(method)))
                {
                    throw new InvalidOperationException($"Actor type '{name}' has two methods called '{method.Name}'; a call names a method only by its name.");
                }
            }
        }

        foreach (var method in implementation.GetMethods(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
        {
            var parameters = method.GetParameters();
            if (method.ReturnType.IsAssignableTo(typeof(Task)) && (parameters.Length == 0 || (parameters.Length == 1 && parameters[0].ParameterType == typeof(byte[]))))
            {
                _timers.TryAdd(method.Name, (MethodInvoker.Create(method), parameters.Length == 1));
            }
        }
    }

    public string Name { get; }

    public Type Implementation { get; }

    public bool IsRemindable => Implementation.IsAssignableTo(typeof(IRemindable));

    public ActorMethod? FindMethod(string name) => _methods.GetValueOrDefault(name);

    public void RequireTimerCallback(string name)
    {
        if (!_timers.ContainsKey(name))
        {
            throw new InvalidOperationException($"{Implementation.Name} has no method '{name}' that returns Task and takes nothing or byte[]; a timer cannot call it.");
        }
    }

    public Task InvokeTimerAsync(Actor actor, string callback, byte[] state)
    {
        RequireTimerCallback(callback);
        var (invoker, takesState) = _timers[callback];
        return (Task)(takesState ? invoker.Invoke(actor, state) : invoker.Invoke(actor))!;
    }

    /// <summary>Asks for every JSON type once, so that a missing one is an error at start and not at the first call.</summary>
    public void RequireJson(JsonSerializerOptions json)
    {
        foreach (var method in _methods.Values)
        {
            method.RequireJson(Name, json);
        }
    }
}
