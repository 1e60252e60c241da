"""Functions of a batch iterator, as Keras calls them, for several replicas."""

import keras
import tensorflow as tf


def of_steps(model: keras.Model, step):
    """Builds what Keras calls with an iterator to run its next steps.

    Args:
        model: Compiled model of several replicas.
        step: Its `train_step` or `test_step`.

    Returns:
        A function of an iterator, that runs up to `model.steps_per_execution`
        steps and returns the figures by name. It raises StopIteration or
        OutOfRangeError if no batch is left.
    """

    def one_step(data):
        return _figures(model, _on_each(model, step, data))

    def steps(iterator):
        figures = _on_each(model, step, iterator.get_next())
        if model.steps_per_execution > 1:
            figures = _further_steps(model, step, iterator, figures)
        return _figures(model, figures)

    if not model.run_eagerly:
        convert = tf.autograph.experimental.do_not_convert
        one_step = tf.function(convert(one_step), reduce_retracing=True)
        steps = tf.function(convert(steps), reduce_retracing=True)

    def function(iterator):
        distributed = isinstance(
            iterator, (tf.data.Iterator, tf.distribute.DistributedIterator)
        )
        if distributed and not model.run_eagerly:
            return steps(iterator)
        figures = None
        for _, data in zip(
            range(model.steps_per_execution), iterator, strict=False
        ):
            figures = one_step(data)
        if figures is None:
            raise StopIteration
        return figures

    return function


def first_share(batch, strategy):
    """Returns what this worker's first replica gets of a distributed batch."""
    return keras.tree.map_structure(
        lambda value: strategy.experimental_local_results(value)[0], batch
    )


def _on_each(model, step, data):
    """Runs a step on every replica; returns the means of what they return."""

    def with_data(own):
        # Nothing of a step, its counters neither, runs without a batch.
        with tf.control_dependencies(_tensors(own)):
            return step(own)

    strategy = model.distribute_strategy
    results = strategy.run(with_data, args=(data,))
    return {
        name: tf.reduce_mean(strategy.experimental_local_results(value), axis=0)
        for name, value in results.items()
    }


def _further_steps(model, step, iterator, figures):
    """Runs the steps of a call after the first, as long as there is data."""

    def is_next(count, has_data, _):
        return has_data & (count < model.steps_per_execution)

    def run_next(count, _, last):
        batch = iterator.get_next_as_optional()
        has_data = batch.has_value()
        last = tf.cond(
            has_data,
            lambda: _on_each(model, step, batch.get_value()),
            lambda: last,
        )
        return count + 1, has_data, last

    # One step at a time: replicas would mix up what they tell each other.
    return tf.while_loop(
        is_next, run_next, (1, True, figures), parallel_iterations=1
    )[-1]


def _figures(model, figures):
    """Figures of all replicas: where a metric has one, over all examples."""
    metrics = model.get_metrics_result()
    return {name: metrics.get(name, value) for name, value in figures.items()}


def _tensors(data):
    return [
        x
        for x in tf.nest.flatten(data, expand_composites=True)
        if isinstance(x, tf.Tensor)
    ]
