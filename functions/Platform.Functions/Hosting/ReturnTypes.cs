using System.Reflection;

namespace Platform.Functions.Hosting;

/// <summary>Awaits what a function returned, whatever kind of task it is.</summary>
internal static class ReturnTypes
{
    /// <summary>The type that awaiting <paramref name="type"/> gives; <see cref="void"/> for a plain task.</summary>
    public static Type Awaited(Type type)
    {
        if (type == typeof(Task) || type == typeof(ValueTask))
        {
            return typeof(void);
        }

        return type.IsGenericType && (type.GetGenericTypeDefinition() == typeof(Task<>) || type.GetGenericTypeDefinition() == typeof(ValueTask<>))
            ? type.GetGenericArguments()[0]
            : type;
    }

    /// <summary>Makes the function that awaits values of <paramref name="type"/>; made once per function, not per call.</summary>
    public static Func<object?, Task<object?>> Awaiter(Type type)
    {
        if (type == typeof(Task))
        {
            return static async value =>
            {
                await (Task)value!;
                return null;
            };
        }

        if (type == typeof(ValueTask))
        {
            return static async value =>
            {
                await (ValueTask)value!;
                return null;
            };
        }

        if (Awaited(type) == type)
        {
            return static value => Task.FromResult(value);
        }

        var name = type.GetGenericTypeDefinition() == typeof(Task<>) ? nameof(AwaitTask) : nameof(AwaitValueTask);
        return typeof(ReturnTypes).GetMethod(name, BindingFlags.NonPublic | BindingFlags.Static)!
            .MakeGenericMethod(Awaited(type))
            .CreateDelegate<Func<object?, Task<object?>>>();
    }

    private static async Task<object?> AwaitTask<T>(object? value) => await (Task<T>)value!;

    private static async Task<object?> AwaitValueTask<T>(object? value) => await (ValueTask<T>)value!;
}
